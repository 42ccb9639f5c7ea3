"""Looking at views of one grid, recorded as CUDA graphs once a grid has come twice.

A look is some 230 small kernels; to launch them one by one takes a busy host longer than the GPU
takes to run them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from worker.minicpm.graphs import Recording, record
from worker.minicpm.vision import Grid

MOST = 32  # recordings; what comes later is launched. None may go before all do (graphs.py)

See = Callable[[Tensor, Grid], Tensor]
"""Patches (B, L, 3·P·P) of views of a grid → (B, queries, hidden)."""


class Glances:
    """What `see` does, by replaying it.

    `remembered` names the tensors that it reads for a grid and may forget: a recording reads them
    where they lie, so they must live as long.
    """

    def __init__(self, see: See, remembered: Callable[[Grid], list[Tensor]], pool: Any) -> None:
        self._see, self._remembered, self._pool = see, remembered, pool
        self._met: set[tuple[Grid, int]] = set()
        self._recordings: dict[tuple[Grid, int], tuple[Recording, list[Tensor]]] = {}

    def __call__(self, patches: Tensor, grid: Grid) -> Tensor:
        """The result is overwritten by the next replay."""
        key = grid, len(patches)
        if key not in self._recordings:
            if key not in self._met or len(self._recordings) == MOST:
                self._met.add(key)
                return self._see(patches, grid)
            given, held = torch.zeros_like(patches), self._remembered(grid)
            recording = record(lambda p: self._see(p, grid), given, self._pool)
            self._recordings[key] = recording, held
        recording, _ = self._recordings[key]
        recording.given.copy_(patches)
        recording.graph.replay()
        return recording.result


def portions(count: int, most: int) -> Iterator[int]:
    """Split a number of views into few sizes: `most` as often as it fits, then its halves."""
    while count:
        while most > count:
            most //= 2
        yield most
        count -= most
