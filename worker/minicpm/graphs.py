"""Steps recorded as CUDA graphs: replaying one spares the launch of hundreds of kernels.

All recordings of a network (steps, looks, readings) share one pool of memory: they are replayed one
after the other, so it is only as large as the most that one of them needs, and their results. None
is destroyed before the network: PyTorch gives the library's workspace of a stream back with any
graph that was recorded on it, though others still use it (pytorch/pytorch#193402).
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64)
"""Rows for which steps are recorded; more than the last go in multiples of it."""

Step = Callable[[Tensor], Tensor]
"""Slots (B,) int64 → something of (B, …). All else that it reads and writes stays in place."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A graph and the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    given: Tensor
    result: Tensor  # the next replay of any recording in the same pool may overwrite it


class Graphs:
    """A step over slots, recorded on first use per number of rows.

    Rows that only fill up a recording work on slot `spare`, which holds no window.
    """

    def __init__(self, step: Step, spare: int, device: torch.device, pool: Any) -> None:
        self._step, self._spare, self._device, self._pool = step, spare, device, pool
        self._recordings: dict[int, Recording] = {}

    def __call__(self, slots: Tensor) -> Tensor:
        """Do the step for slots (B,), on the host. The result is overwritten by the next replay."""
        size = recorded_rows(len(slots))
        if size not in self._recordings:
            spare = torch.full((size,), self._spare, device=self._device)
            self._recordings[size] = record(self._step, spare, self._pool)
        recording = self._recordings[size]
        padded = torch.full((size,), self._spare, pin_memory=True)
        padded[: len(slots)] = slots
        recording.given.copy_(padded, non_blocking=True)
        recording.graph.replay()
        return recording.result[: len(slots)]


def record(work: Callable[[Tensor], Tensor], given: Tensor, pool: Any) -> Recording:
    """Do the work once, so that kernels are compiled and chosen, then record it."""
    side = _side_stream(given.device, pool)
    side.wait_stream(torch.cuda.current_stream())
    try:
        with torch.cuda.stream(side):
            work(given)
    finally:
        torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    try:
        with (
            _no_garbage_collection(),
            torch.cuda.graph(graph, pool, side, capture_error_mode="thread_local"),
        ):
            result = work(given)
    except RuntimeError as error:  # ending a recording that broke off raises anew
        _broken_off.append(graph)
        if isinstance(error.__context__, torch.OutOfMemoryError):
            raise error.__context__ from None
        if "out of memory" in str(error):  # CUDA's own words, not the allocator's
            raise torch.OutOfMemoryError(str(error)) from error
        raise
    return Recording(graph, given, result)


_broken_off: list[torch.cuda.CUDAGraph] = []  # not to be destroyed, see above


@lru_cache(maxsize=16)
def _side_stream(device: torch.device, pool: Any) -> torch.cuda.Stream:
    """The one on which all in a pool is recorded: each more would take a workspace for itself."""
    return torch.cuda.Stream(device)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A graph of an engine that is gone must not be destroyed while another is recorded."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def recorded_rows(rows: int) -> int:
    """The size of recording that takes so many rows."""
    largest = SIZES[-1]
    return next((size for size in SIZES if size >= rows), -(-rows // largest) * largest)
