"""The engine: many threads ask, one thread runs the network for all of them at once.

Requests join and leave the batch at any step. Pictures and text are prepared, and answers turned
into text, in the thread that asks.
"""

import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import Literal, Self, TypeVar

import torch

from worker.minicpm.batch import Batch, Row
from worker.minicpm.errors import (
    Cancelled,
    EngineStopped,
    NumbersOverflowed,
    OutOfDeviceMemory,
    PromptTooLong,
    is_out_of_memory,
)
from worker.minicpm.memory_plan import FAST, Limits
from worker.minicpm.network import Network
from worker.minicpm.preprocess import plan_layout
from worker.minicpm.prompt import EncodedPrompt, Message, PromptEncoder, PromptStyle
from worker.minicpm.sampling import Sampling
from worker.minicpm.schedule import admit_now
from worker.minicpm.slot_state import OVERFLOWED
from worker.minicpm.text import TextStream
from worker.minicpm.tokenizer import TextTokenizer

log = logging.getLogger(__name__)

AHEAD = 1  # steps that the device is asked for unseen; with more, `_tell` would miss a row's end
LISTEN_S = 0.4  # how often a listener is told of new text: each time takes Python's lock
CALM_STEPS = 2000  # without a shortage, before more rows are tried again
SWITCH_S = 1e-4  # how long another thread may keep Python's lock: work is queued call by call

Result = TypeVar("Result")
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
    row: Row | None = None
    done: threading.Event = field(default_factory=threading.Event)
    outcome: StopReason | BaseException | None = None

    @property
    def unwanted(self) -> bool:
        return self.abandoned or (self.cancelled is not None and self.cancelled.is_set())

    def end(self, outcome: StopReason | BaseException) -> None:
        self.ended = perf_counter()
        self.outcome = outcome
        self.done.set()


class Engine:
    """Comments requests from any number of threads. Close it, or use it in a `with`.

    `slots` windows of up to `room` tokens, prompt and answer together, are written at once.
    """

    def __init__(
        self,
        network: Network,
        tokenizer: TextTokenizer,
        slots: int,
        room: int,
        limits: Limits = FAST,
    ) -> None:
        self.network, self.tokenizer, self.slots = network, tokenizer, slots
        self.encoder = PromptEncoder(tokenizer, network.config.picture)
        self._batch = Batch(network, tokenizer.stop_ids, slots, room, limits)
        self._most_rows = slots  # less for a while after the device's memory ran out
        self._calm = 0  # steps since then
        self._waiting: deque[_Ticket] = deque()
        self._waited = 0  # steps since the first of them came
        self._running: dict[Row, _Ticket] = {}
        self._open: set[_Ticket] = set()  # whose threads listen
        self._changed = threading.Condition()
        self._unprepared = False  # someone wants `prepare` done
        self._prepared = threading.Event()
        self._stopped: BaseException | None = None
        sys.setswitchinterval(SWITCH_S)
        self._thread = threading.Thread(target=self._run, name="minicpm", daemon=True)
        self._thread.start()

    def comment(
        self,
        request: Request,
        on_text: Callable[[str], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Reply:
        """Answer a request; blocks. `on_text` gets the text so far as it grows, in this thread.

        Raises PromptTooLong, Cancelled (soon after `cancelled` is set), OutOfDeviceMemory,
        NumbersOverflowed or EngineStopped. What `on_text` raises cancels the request and passes
        through.
        """
        budget = self._batch.room - request.sampling.max_new_tokens
        if budget < 1:
            raise PromptTooLong(f"an answer of {request.sampling.max_new_tokens} tokens leaves no "
                                f"room for a prompt in {self._batch.room} places")  # fmt: skip
        prompt = self._pinned(self.encoder.encode(request.messages, request.style, budget))
        ticket = _Ticket(request, prompt, cancelled)
        self._submit(ticket)
        try:
            return self._follow(ticket, on_text)
        finally:
            ticket.abandoned = True
            with self._changed:
                self._open.discard(ticket)

    def prepare(self) -> None:
        """Capture prefill for usual lengths of prompts, a length between two steps; blocks. On a GPU."""
        with self._changed:
            self._unprepared = self._stopped is None
            if not self._unprepared:
                return
            self._prepared.clear()
            self._changed.notify()
        self._prepared.wait()

    def view_size(self, width: int, height: int, max_slices: int = 1) -> tuple[int, int]:
        """The (width, height) below which a picture of this size loses detail."""
        layout = plan_layout((width, height), max_slices, self.network.config.picture)
        if not layout.columns:
            return layout.overview
        across, down = layout.slice_size
        return across * layout.columns, down * layout.rows

    def device_memory(self) -> tuple[str, str, int, int] | None:
        """Return the GPU's UUID and name, and how many of its bytes are taken and there; None on the CPU."""
        device = self.network.device
        if device.type != "cuda":
            return None
        free, total = torch.cuda.mem_get_info(device)
        facts = torch.cuda.get_device_properties(device)
        return f"GPU-{facts.uuid}", facts.name, total - free, total

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

    def _pinned(self, prompt: EncodedPrompt) -> EncodedPrompt:
        """Move the pictures to where a GPU can read them."""
        if self.network.device.type != "cuda" or self._stopped is not None:  # told by `_submit`
            return prompt
        try:
            return prompt.pinned()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise OutOfDeviceMemory("the host has no memory to send pictures from") from error
            raise EngineStopped("the device is lost") from error  # the engine's thread will see it

    def _submit(self, ticket: _Ticket) -> None:
        with self._changed:
            if self._stopped is not None:
                raise EngineStopped("the engine has ended") from self._stopped
            self._open.add(ticket)
            self._waiting.append(ticket)
            self._changed.notify()

    def _follow(self, ticket: _Ticket, on_text: Callable[[str], None] | None) -> Reply:
        """Wait for the answer; look now and then for text to hand on."""
        row: Row | None = None
        stream, count, shown, done = TextStream(self.tokenizer), 0, "", False
        while not done:
            done = ticket.done.wait(LISTEN_S if on_text else None)
            if row is not ticket.row:  # also where the answer was begun again
                row, stream, count = ticket.row, TextStream(self.tokenizer), 0
            if row is None:
                continue
            tokens = row.tokens[count:]
            count += len(tokens)
            text = stream.push(token for token in tokens if token != OVERFLOWED)
            if on_text and text != shown:
                shown = text
                on_text(text)
        if isinstance(ticket.outcome, BaseException):
            raise ticket.outcome
        assert ticket.outcome is not None
        assert row is not None
        return Reply(
            text=stream.text(),
            stopped_by=ticket.outcome,
            tokens_in=len(ticket.prompt.ids),
            tokens_out=count,
            waiting_ms=(ticket.admitted - ticket.asked) * 1000,
            vision_ms=row.vision_ms,
            prefill_ms=row.prefill_ms,
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
                stepped = self._step()
                self._tell(self._batch.collect(AHEAD if stepped else 0))
                self._drop_unwanted()
                if self._unprepared and not self._batch.prepare():
                    self._unprepared = False
                    self._prepared.set()
        except BaseException as fault:
            self._stopped = fault
            raise
        finally:
            self._end_all()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or self._waiting or self._batch.busy or self._unprepared
            )
            return self._stopped is None

    def _take_waiting(self) -> list[_Ticket]:
        """Take those whose turn it is, the longest waiting first."""
        with self._changed:
            live = [t for t in self._waiting if not self._drop_cancelled(t)]
            room = min(len(self._batch.free), self._most_rows - len(self._running))
            lengths = [len(ticket.prompt.ids) for ticket in live]
            now = admit_now(
                lengths, room, len(self._running), self._waited, self._batch.limits.tokens
            )
            self._waiting = deque(live[now:])
        self._waited = self._waited + 1 if live and not now else 0
        return live[:now]

    def _drop_cancelled(self, ticket: _Ticket) -> bool:
        if not ticket.unwanted:
            return False
        ticket.end(Cancelled("the request was cancelled while it waited"))
        return True

    def _admit(self, tickets: list[_Ticket]) -> None:
        """Start the tickets together; halve what does not fit into the device's memory."""
        if not tickets:
            return
        now = perf_counter()
        prompts = [ticket.prompt for ticket in tickets]
        samplings = [ticket.request.sampling for ticket in tickets]
        rows = _within_memory(lambda: self._batch.admit(prompts, samplings))
        if rows is None:
            self._make_room(tickets)
            return
        for row, ticket in zip(rows, tickets, strict=True):
            ticket.admitted, ticket.row = now, row
            self._running[row] = ticket

    def _make_room(self, tickets: list[_Ticket]) -> None:
        self._batch.forget()
        torch.cuda.empty_cache()
        if len(tickets) == 1:
            views, ids = len(tickets[0].prompt.views), len(tickets[0].prompt.ids)
            shortage = f"the device has too little memory for {views} views and {ids} tokens"
            tickets[0].end(OutOfDeviceMemory(shortage))
            return
        half = len(tickets) // 2
        self._admit(tickets[:half])
        self._admit(tickets[half:])

    def _step(self) -> bool:
        """Ask for one more token in each row; return whether any may have one."""
        stepped = _within_memory(self._batch.step)
        if stepped is None:
            self._begin_again()
            return False
        self._calm += 1
        if self._calm == CALM_STEPS:
            self._calm, self._most_rows = 0, min(self.slots, 2 * self._most_rows)
        return stepped

    def _begin_again(self) -> None:
        """The memory ran out between two tokens: write half as many rows at once for a while.

        All begin anew, as nobody knows how far the step came; to the same words if they were greedy
        or seeded.
        """
        self._batch.forget()
        torch.cuda.empty_cache()
        self._tell(self._batch.collect())
        running = list(self._running.items())
        self._calm, self._most_rows = 0, max(1, len(running) // 2)
        log.warning("out of memory, writing fewer windows at once rows=%d", self._most_rows)
        for row, ticket in running:
            self._leave(row)
            ticket.row = None
        if len(running) == 1:
            running[0][1].end(OutOfDeviceMemory("the device ran out of memory while it answered"))
            return
        with self._changed:
            self._waiting.extendleft(ticket for _, ticket in reversed(running))

    def _drop_unwanted(self) -> None:
        for row, ticket in list(self._running.items()):
            if ticket.unwanted:
                ticket.end(Cancelled("the request was cancelled while it was answered"))
                self._leave(row)

    def _tell(self, rows: Sequence[Row]) -> None:
        """See for each row with a new token whether it was the last."""
        for row in rows:
            ticket = self._running[row]
            if len(row.tokens) == 1:
                ticket.written = perf_counter()
            if row.tokens[-1] == OVERFLOWED:
                ticket.end(NumbersOverflowed())
            elif (reason := self._stop_reason(row, ticket)) is not None:
                ticket.end(reason)
            else:
                continue
            self._leave(row)

    def _stop_reason(self, row: Row, ticket: _Ticket) -> StopReason | None:
        limit = ticket.request.time_limit_s
        if row.tokens[-1] in self.tokenizer.stop_ids:
            return "end"
        if len(row.tokens) == row.sampling.max_new_tokens:
            return "length"
        if limit is not None and perf_counter() - ticket.written > limit:
            return "time"
        return None

    def _leave(self, row: Row) -> None:
        self._batch.release(row)
        del self._running[row]

    def _end_all(self) -> None:
        with self._changed:
            self._prepared.set()
            for ticket in self._open:
                if ticket.done.is_set():
                    continue
                ended = EngineStopped("the engine ended before the answer")
                ended.__cause__ = self._stopped
                ticket.end(ended)
            self._waiting.clear()


def _within_memory(work: Callable[[], Result]) -> Result | None:
    """Do the work; None if the device's memory ran out: what the failed work held is let go then."""
    try:
        return work()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)
        return None
