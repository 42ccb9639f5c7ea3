"""The engine: many threads ask, one thread runs the network for all of them at once.

Requests join and leave the batch at any step. Pictures and text are prepared, and answers turned
into text, in the thread that asks.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import perf_counter
from types import TracebackType
from typing import Literal, Self

import torch

from worker.minicpm.batch import OVERFLOWED, Admission, Batch
from worker.minicpm.errors import (
    Cancelled,
    EngineStopped,
    NumbersOverflowed,
    OutOfDeviceMemory,
    PromptTooLong,
)
from worker.minicpm.network import Network
from worker.minicpm.preprocess import plan_layout
from worker.minicpm.prompt import EncodedPrompt, Message, PromptEncoder, PromptStyle
from worker.minicpm.sampling import Sampling
from worker.minicpm.text import TextStream
from worker.minicpm.tokenizer import TextTokenizer

StopReason = Literal["end", "length", "time"]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One question, usually a window's frames and an instruction."""

    messages: Sequence[Message]
    sampling: Sampling = field(default_factory=Sampling)
    style: PromptStyle = field(default_factory=PromptStyle)
    time_limit_s: float | None = None  # for writing the answer; what is there by then is returned


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer and what it took. A window in a batch waits for the whole batch's work."""

    text: str  # without thoughts and special tokens
    stopped_by: StopReason
    tokens_in: int
    tokens_out: int  # the stopping token included
    waiting_ms: float  # for a free slot
    vision_ms: float
    prefill_ms: float  # the first token included
    generate_ms: float  # all further tokens
    notes: tuple[str, ...]  # what was left out of the prompt


@dataclass(slots=True, eq=False)
class _Ticket:
    """A request on its way through the engine."""

    request: Request
    prompt: EncodedPrompt
    cancelled: threading.Event | None
    abandoned: bool = False  # its thread no longer listens
    asked: float = field(default_factory=perf_counter)
    admitted: float = 0.0
    written: float = 0.0  # when the first token was there
    ended: float = 0.0
    admission: Admission = field(default_factory=lambda: Admission(0.0, 0.0))
    inbox: "SimpleQueue[int | StopReason | BaseException]" = field(default_factory=SimpleQueue)

    @property
    def unwanted(self) -> bool:
        return self.abandoned or (self.cancelled is not None and self.cancelled.is_set())

    def end(self, outcome: StopReason | BaseException) -> None:
        self.ended = perf_counter()
        self.inbox.put(outcome)


class Engine:
    """Comments requests from any number of threads. Close it, or use it in a `with`.

    `slots` windows of up to `room` tokens, prompt and answer together, are written at once.
    """

    def __init__(self, network: Network, tokenizer: TextTokenizer, slots: int, room: int) -> None:
        self.network, self.tokenizer = network, tokenizer
        self.encoder = PromptEncoder(tokenizer, network.config.picture)
        self._batch = Batch(network, tokenizer.stop_ids, slots, room)
        self._waiting: deque[_Ticket] = deque()
        self._starting: list[_Ticket] = []
        self._running: dict[int, _Ticket] = {}
        self._changed = threading.Condition()
        self._stopped: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="minicpm", daemon=True)
        self._thread.start()

    def comment(
        self,
        request: Request,
        on_text: Callable[[str], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Reply:
        """Answer a request; blocks. `on_text` gets the text piece by piece, in this thread.

        Raises PromptTooLong, Cancelled (soon after `cancelled` is set), OutOfDeviceMemory,
        NumbersOverflowed or EngineStopped. What `on_text` raises cancels the request and passes
        through.
        """
        budget = self._batch.room - request.sampling.max_new_tokens
        if budget < 1:
            raise PromptTooLong(f"an answer of {request.sampling.max_new_tokens} tokens leaves no "
                                f"room for a prompt in {self._batch.room} places")  # fmt: skip
        prompt = self.encoder.encode(request.messages, request.style, budget)
        ticket = _Ticket(request, prompt, cancelled)
        self._submit(ticket)
        try:
            return self._follow(ticket, on_text)
        finally:
            ticket.abandoned = True

    def view_size(self, width: int, height: int, max_slices: int = 1) -> tuple[int, int]:
        """The (width, height) below which a picture of this size loses detail."""
        layout = plan_layout((width, height), max_slices, self.network.config.picture)
        if not layout.columns:
            return layout.overview
        across, down = layout.slice_size
        return across * layout.columns, down * layout.rows

    def close(self) -> None:
        """End the thread; requests on their way raise EngineStopped."""
        with self._changed:
            self._stopped = self._stopped or EngineStopped("the engine was closed")
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _submit(self, ticket: _Ticket) -> None:
        with self._changed:
            if self._stopped is not None:
                raise EngineStopped("the engine has ended") from self._stopped
            self._waiting.append(ticket)
            self._changed.notify()

    def _follow(self, ticket: _Ticket, on_text: Callable[[str], None] | None) -> Reply:
        """Turn the ticket's tokens into text until it is done."""
        stream = TextStream(self.tokenizer)
        count = 0
        while isinstance(event := ticket.inbox.get(), int):
            count += 1
            new = stream.push(event)
            if new and on_text:
                on_text(new)
        if isinstance(event, BaseException):
            raise event
        return Reply(
            text=stream.text(),
            stopped_by=event,
            tokens_in=len(ticket.prompt.ids),
            tokens_out=count,
            waiting_ms=(ticket.admitted - ticket.asked) * 1000,
            vision_ms=ticket.admission.vision_ms,
            prefill_ms=ticket.admission.prefill_ms,
            generate_ms=(ticket.ended - ticket.written) * 1000,
            notes=ticket.prompt.notes,
        )

    def _run(self) -> None:
        """Admit, step, tell; until closed. Any fault ends the engine and is told to all."""
        try:
            if self.network.device.type == "cuda":
                torch.cuda.set_device(self.network.device)  # Triton launches on the thread's own
            while self._wait_for_work():
                self._admit(self._take_waiting())
                self._step()
        except BaseException as fault:
            self._stopped = fault
            raise
        finally:
            self._end_all()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._waiting or self._running)
            return self._stopped is None

    def _take_waiting(self) -> list[_Ticket]:
        """Take as many of the longest waiting as there are free slots."""
        with self._changed:
            live = [t for t in self._waiting if not self._drop_cancelled(t)]
            free = len(self._batch.free)
            self._waiting = deque(live[free:])
        self._starting = live[:free]
        return self._starting

    def _drop_cancelled(self, ticket: _Ticket) -> bool:
        if not ticket.unwanted:
            return False
        ticket.end(Cancelled("the request was cancelled while it waited"))
        return True

    def _admit(self, tickets: list[_Ticket]) -> None:
        """Start the tickets together; halve what does not fit into the device's memory."""
        if not tickets:
            return
        slots = self._batch.free[: len(tickets)]
        now = perf_counter()
        try:
            prompts = [ticket.prompt for ticket in tickets]
            samplings = [ticket.request.sampling for ticket in tickets]
            admission = self._batch.admit(slots, prompts, samplings)
        except torch.OutOfMemoryError as error:
            self._make_room(tickets, error)
            return
        for slot, ticket in zip(slots, tickets, strict=True):
            ticket.admitted, ticket.admission, ticket.written = now, admission, perf_counter()
            self._running[slot] = ticket
            self._tell(slot, ticket)

    def _make_room(self, tickets: list[_Ticket], error: torch.OutOfMemoryError) -> None:
        torch.cuda.empty_cache()
        if len(tickets) == 1:
            views, ids = len(tickets[0].prompt.views), len(tickets[0].prompt.ids)
            shortage = OutOfDeviceMemory(
                f"the device has too little memory for {views} views and {ids} tokens"
            )
            shortage.__cause__ = error
            tickets[0].end(shortage)
            return
        half = len(tickets) // 2
        self._admit(tickets[:half])
        self._admit(tickets[half:])

    def _step(self) -> None:
        for slot, ticket in list(self._running.items()):
            if ticket.unwanted:
                ticket.end(Cancelled("the request was cancelled while it was answered"))
                self._leave(slot)
        if not self._running:
            return
        try:
            self._batch.step()
        except torch.OutOfMemoryError as error:
            self._give_up(error)
        for slot, ticket in list(self._running.items()):
            self._tell(slot, ticket)

    def _give_up(self, error: torch.OutOfMemoryError) -> None:
        """End all running answers for want of memory; those who wait go on with a clean start."""
        for slot, ticket in list(self._running.items()):
            shortage = OutOfDeviceMemory("the device ran out of memory while it answered")
            shortage.__cause__ = error
            ticket.end(shortage)
            self._leave(slot)
        torch.cuda.empty_cache()

    def _tell(self, slot: int, ticket: _Ticket) -> None:
        """Hand on the newest token and see whether it was the last."""
        tokens = self._batch.row(slot).tokens
        if tokens[-1] == OVERFLOWED:
            ticket.end(NumbersOverflowed())
            self._leave(slot)
            return
        ticket.inbox.put(tokens[-1])
        limit, late = ticket.request.time_limit_s, perf_counter() - ticket.written
        reason: StopReason
        if tokens[-1] in self.tokenizer.stop_ids:
            reason = "end"
        elif len(tokens) == ticket.request.sampling.max_new_tokens:
            reason = "length"
        elif limit is not None and late > limit:
            reason = "time"
        else:
            return
        ticket.end(reason)
        self._leave(slot)

    def _leave(self, slot: int) -> None:
        self._batch.release(slot)
        del self._running[slot]

    def _end_all(self) -> None:
        with self._changed:
            for ticket in [*self._waiting, *self._starting, *self._running.values()]:
                ended = EngineStopped("the engine ended before the answer")
                ended.__cause__ = self._stopped
                ticket.end(ended)
            self._waiting.clear()
