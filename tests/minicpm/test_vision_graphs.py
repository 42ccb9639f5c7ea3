"""Looks that are captured, as far as no GPU is needed for it."""

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor

from worker.minicpm.vision import Grid
from worker.minicpm.vision_graphs import VisionGraphs

GRID: Grid = (2, 3)


def see(patches: Tensor, grid: Grid) -> Tensor:
    return patches + grid[0]


def test_without_memory_for_a_graph_views_are_looked_at_directly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried: list[int] = []

    class Full:
        def capture(self, work: object, given: Tensor) -> None:
            tried.append(len(given))
            raise torch.OutOfMemoryError("too little left to capture")

    graphs = VisionGraphs(see, lambda grid: [], Full())  # type: ignore[arg-type]
    for count in (1, 1, 1, 2, 2):
        patches = torch.randn(count, 6, 4)
        assert torch.equal(graphs(patches, GRID), patches + 2)
    assert tried == [1]  # the second time that there is one view, and never again
    assert len(caplog.messages) == 1
