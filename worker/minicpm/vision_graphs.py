"""Looking at views of one grid, captured as CUDA graphs once a grid has come twice.

A look is some 230 small kernels; to launch them one by one takes a busy host longer than the GPU
takes to run them.
"""

import logging
import traceback
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from worker.minicpm.cuda_graphs import CapturedGraph, GraphCapturer
from worker.minicpm.errors import is_out_of_memory
from worker.minicpm.vision import Grid

MOST = 32  # graphs; what comes later is launched. None may go before all do (cuda_graphs.py)

log = logging.getLogger(__name__)

See = Callable[[Tensor, Grid], Tensor]
"""Patches (B, L, 3·P·P) of views of a grid → (B, queries, hidden)."""


class VisionGraphs:
    """What `see` does, by replaying it.

    `remembered` names the tensors that it reads for a grid and may forget: a graph reads them
    where they lie, so they must live as long.
    """

    def __init__(
        self,
        see: See,
        remembered: Callable[[Grid], list[Tensor]],
        capturer: GraphCapturer,
    ) -> None:
        self._see, self._remembered, self._capturer = see, remembered, capturer
        self._met: set[tuple[Grid, int]] = set()
        self._full = False  # no memory for more of them
        self._captured: dict[tuple[Grid, int], tuple[CapturedGraph, list[Tensor]]] = {}

    def __call__(self, patches: Tensor, grid: Grid) -> Tensor:
        """The result is overwritten by the next replay."""
        key = grid, len(patches)
        if key in self._met and key not in self._captured:
            self._capture(grid, patches)
        self._met.add(key)
        if key not in self._captured:
            return self._see(patches, grid)
        captured, _ = self._captured[key]
        captured.given.copy_(patches)
        captured.graph.replay()
        return captured.result

    def _capture(self, grid: Grid, patches: Tensor) -> None:
        """Capture a look at so many views; without memory for that, it is left."""
        if self._full or len(self._captured) == MOST:
            return
        try:
            held = self._remembered(grid)
            captured = self._capturer.capture(
                lambda p: self._see(p, grid), torch.zeros_like(patches)
            )
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            traceback.clear_frames(error.__traceback__)
            self._full = True
            log.warning("no memory to capture a look views=%d", len(patches))
        else:
            self._captured[grid, len(patches)] = captured, held


def portions(count: int, most: int) -> Iterator[int]:
    """Split a number of views into few sizes: `most` as often as it fits, then its halves."""
    while count:
        while most > count:
            most //= 2
        yield most
        count -= most
