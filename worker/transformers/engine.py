"""Many threads ask, one thread answers: in batches of those who ask at about the same time.

A batch ends with its longest answer; who asks meanwhile waits for the next one. Where a batch
fails, its halves are tried, so that neither want of memory nor one bad window costs the others.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as NotYet

import torch
from transformers import LogitsProcessorList, StoppingCriteriaList

from worker.transformers.errors import (
    Cancelled,
    EngineStopped,
    NetworkError,
    OutOfDeviceMemory,
    PromptRefusedHere,
)
from worker.transformers.network import Network
from worker.transformers.prompts import Asking, Prompts
from worker.transformers.rows import Choosing, Ending, Reply, Row, Sampling

_COMPANY_S = 0.1  # a batch that isn't full waits so long for one more
_LONGEST_WAIT_S = 0.5  # ... but no longer in all
_SHORTAGES = "can't allocate memory", "out of memory", "ALLOC_FAILED"
_GLANCE_S = 0.1  # between two looks at what was written and whether it is wanted

log = logging.getLogger(__name__)


class Engine:
    """Answers up to `streams` threads with one network."""

    def __init__(self, network: Network, streams: int) -> None:
        """Try the network's template and processor. Raises CannotLoad."""
        self.network, self.streams = network, streams
        self.prompts = Prompts(network)
        self.most_rows = streams  # of a batch; fewer once memory ran out
        self._waiting: deque[Row] = deque()
        self._changed = threading.Condition()
        self._stopped: EngineStopped | None = None
        self._thread = threading.Thread(target=self._work, name="transformers", daemon=True)
        self._thread.start()

    def ask(
        self,
        asking: Asking,
        sampling: Sampling,
        limit_s: float,
        show: Callable[[str], None],
        cancelled: threading.Event,
    ) -> tuple[str, Reply]:
        """Return the answer's text and what it took; `show` gets all of the text so far, often.

        When the limit is reached, waiting included, what is there by then is returned. Raises
        NetworkError, or Cancelled soon after `cancelled` is set.
        """
        row = Row(asking, sampling, limit_s, cancelled)
        with self._changed:
            if self._stopped:
                raise self._stopped
            self._waiting.append(row)
            self._changed.notify_all()
        while True:
            try:
                reply = row.reply.result(_GLANCE_S)
            except NotYet:
                if cancelled.is_set():
                    raise Cancelled from None
                show(self.prompts.spell(asking, list(row.tokens)))
            else:
                return self.prompts.spell(asking, reply.tokens), reply

    def close(self) -> None:
        """End the thread once its batch is over; who waits gets EngineStopped."""
        self._stop(EngineStopped("it was closed"))
        self._thread.join()

    def _stop(self, reason: EngineStopped) -> None:
        with self._changed:
            self._stopped = self._stopped or reason
            waiting, self._waiting = list(self._waiting), deque()
            self._changed.notify_all()
        for row in waiting:
            row.fail(reason)

    def _work(self) -> None:
        while rows := self._gather():
            try:
                for batch in _alike(rows):
                    self._answer(batch)
            except Exception as error:
                log.exception("engine ends")
                reason = EngineStopped(f"{type(error).__name__}: {str(error)[:200]}")
                for row in rows:
                    row.fail(reason)
                self._stop(reason)

    def _gather(self) -> list[Row]:
        """Wait for requests; return a batch, or nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            latest = time.monotonic() + _LONGEST_WAIT_S
            while len(self._waiting) < self.most_rows and not self._stopped:
                patience = min(_COMPANY_S, latest - time.monotonic())
                if patience <= 0 or not self._changed.wait(patience):
                    break
            count = min(self.most_rows, len(self._waiting))
            return [self._waiting.popleft() for _ in range(count)]

    def _answer(self, rows: list[Row]) -> None:
        """Answer all rows: together, else by halves, else say of one why not."""
        for row in rows:
            if row.cancelled.is_set():
                row.fail(Cancelled())
        rows = [row for row in rows if not row.is_over]
        failure = self._try(rows) if rows else None
        if failure is None:
            return
        left = [row for row in rows if not row.is_over]
        if isinstance(failure, OutOfDeviceMemory):
            self.most_rows = max(1, min(self.most_rows, len(rows) // 2))
            log.warning("memory ran out, batches are smaller rows=%d", self.most_rows)
        if len(rows) == 1:
            rows[0].fail(failure)
        else:
            half = math.ceil(len(left) / 2)
            self._answer(left[:half])
            self._answer(left[half:])

    def _try(self, rows: list[Row]) -> NetworkError | None:
        """Answer a batch; return why that can't be. What ends the engine is raised."""
        try:
            self._generate(rows)
        except Exception as error:
            if _is_out_of_memory(error):
                failure: NetworkError = OutOfDeviceMemory(str(error)[:200])
            elif isinstance(error, torch.AcceleratorError):
                raise
            else:
                log.warning("batch fails rows=%d", len(rows), exc_info=True)
                failure = NetworkError(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")  # fmt: skip
        else:
            return None
        # Here the error is gone, and with it the frames that held the batch's memory.
        if self.network.device.type == "cuda":
            torch.cuda.empty_cache()
        return failure

    @torch.inference_mode()
    def _generate(self, rows: list[Row]) -> None:
        network = self.network
        for row in rows:
            row.begin(self._share())
        read = self.prompts.read([row.asking for row in rows])
        ids, mask = read["input_ids"], read["attention_mask"]  # (B, T)
        for row, own, seen in zip(rows, ids, mask.bool(), strict=True):
            self._check(row, own[seen].tolist())
        if all(row.is_over for row in rows):
            return
        network.model.generate(
            **read.to(network.device, dtype=network.model.dtype),
            max_new_tokens=max(row.sampling.max_new_tokens for row in rows),
            do_sample=False,
            logits_processor=LogitsProcessorList([Choosing(rows)]),
            stopping_criteria=StoppingCriteriaList([Ending(rows, network.stops, ids.shape[1])]),
        )

    def _share(self) -> float:
        """Return what of its time a row may spend in its batch: it may have waited for others before."""
        batches = math.ceil(self.streams / self.most_rows)
        return 1.0 if self.streams == 1 else 1 / (1 + batches)

    def _check(self, row: Row, ids: list[int]) -> None:
        """Refuse a row whose words were read as more than words, or which has no room."""
        row.tokens_in = len(ids)
        room = self.network.context
        if self.prompts.controls(ids) != row.asking.controls:
            row.fail(PromptRefusedHere("its words would be read as control tokens of the network"))
        elif room is not None and len(ids) + row.sampling.max_new_tokens > room:
            row.fail(PromptRefusedHere(f"it has {len(ids)} tokens of {room}, the answer not counted"))  # fmt: skip


def _is_out_of_memory(error: Exception) -> bool:
    """Tell, also of the CPU's allocator and of CUDA's libraries, which raise no class of their own."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _SHORTAGES)
    )


def _alike(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield the rows with pictures, then those without: processors don't take both at once."""
    for has_pictures in (True, False):
        if some := [row for row in rows if bool(row.asking.pictures) is has_pictures]:
            yield some
