"""Work captured as CUDA graphs: replaying one spares the launch of hundreds of kernels."""

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.minicpm.errors import is_out_of_memory

SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64)
"""Rows for which steps are captured; more than the last go in multiples of it."""

Step = Callable[[Tensor], Tensor]
"""Slots (B,) int64 → something of (B, …). All else that it reads and writes stays in place."""


@dataclass(frozen=True, slots=True)
class CapturedGraph:
    """A graph and the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    given: Tensor
    result: Tensor  # the next replay of any graph of the same capturer may overwrite it


class GraphCapturer:
    """Captures the work of one network: steps, looks, prefill.

    Its graphs share one pool of memory: they are replayed one after the other, so it is only as large
    as the most that one of them needs, and their results. They are captured on one stream: each more
    would take a workspace of the library for itself. None is destroyed before the network: PyTorch
    gives that workspace back with any graph that was captured on the stream, though others still use
    it (pytorch/pytorch#193402).
    """

    def __init__(self, device: torch.device) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)
        self._broken_off: list[torch.cuda.CUDAGraph] = []

    def capture(self, work: Callable[[Tensor], Tensor], given: Tensor) -> CapturedGraph:
        """Do the work once, so that kernels are compiled and chosen, then capture it.

        Raises torch.OutOfMemoryError, also where CUDA itself says so.
        """
        try:
            self._try(work, given)
            return self._capture(work, given)
        except RuntimeError as error:
            for failure in (error, error.__context__):  # ending what broke off raises anew
                if failure is not None and is_out_of_memory(failure):
                    traceback.clear_frames(failure.__traceback__)  # which hold what was computed
                    raise torch.OutOfMemoryError(str(failure)) from None
            raise

    def _try(self, work: Callable[[Tensor], Tensor], given: Tensor) -> None:
        self._stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self._stream):
                work(given)
        finally:
            torch.cuda.current_stream().wait_stream(self._stream)

    def _capture(self, work: Callable[[Tensor], Tensor], given: Tensor) -> CapturedGraph:
        graph = torch.cuda.CUDAGraph()
        try:
            with (
                _no_garbage_collection(),
                torch.cuda.graph(
                    graph, self._pool, self._stream, capture_error_mode="thread_local"
                ),
            ):
                result = work(given)
        except RuntimeError:
            self._broken_off.append(graph)
            raise
        return CapturedGraph(graph, given, result)


class DecodeGraphs:
    """A step over slots, captured on first use per number of rows.

    Rows that only fill up a graph work on slot `spare`, which holds no window.
    """

    def __init__(
        self, step: Step, spare: int, device: torch.device, capturer: GraphCapturer
    ) -> None:
        self._step, self._spare, self._device, self._capturer = step, spare, device, capturer
        self._captured: dict[int, CapturedGraph] = {}

    def __call__(self, slots: Tensor) -> Tensor:
        """Do the step for slots (B,), on the host. The result is overwritten by the next replay."""
        size = captured_rows(len(slots))
        if size not in self._captured:
            spare = torch.full((size,), self._spare, device=self._device)
            self._captured[size] = self._capturer.capture(self._step, spare)
        captured = self._captured[size]
        padded = torch.full((size,), self._spare, pin_memory=True)
        padded[: len(slots)] = slots
        captured.given.copy_(padded, non_blocking=True)
        captured.graph.replay()
        return captured.result[: len(slots)]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A graph of an engine that is gone must not be destroyed while another is captured."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def captured_rows(rows: int) -> int:
    """The size of graph that takes so many rows."""
    largest = SIZES[-1]
    return next((size for size in SIZES if size >= rows), -(-rows // largest) * largest)
