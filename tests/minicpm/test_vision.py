"""What the tower and the resampler remember of a grid follows their weights."""

from collections.abc import Callable

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor, nn

from worker.minicpm.config import VisionConfig
from worker.minicpm.resampler import Resampler
from worker.minicpm.vision import Remembered, VisionTower

CONFIG = VisionConfig(32, 48, 2, 2, 2, 10, False)
GRID = (3, 4)


def settle(module: nn.Module, seed: int) -> None:
    dice = torch.Generator().manual_seed(seed)
    for weight in module.requires_grad_(False).parameters():
        nn.init.normal_(weight, std=0.3, generator=dice)


def new_tower(seed: int) -> VisionTower:
    tower = VisionTower(CONFIG)
    settle(tower, seed)
    return tower


def new_resampler(seed: int) -> Resampler:
    resampler = Resampler(queries=4, width=256, heads=2, vision_width=12)
    settle(resampler, seed)
    return resampler


New = Callable[[int], VisionTower | Resampler]


@pytest.mark.parametrize("new", [new_tower, new_resampler])
def test_other_weights_are_not_answered_from_memory(new: New) -> None:
    patches = torch.randn(2, 12, 12, generator=torch.Generator().manual_seed(1))
    module, other = new(1), new(2)
    before, wanted = module(patches, GRID), other(patches, GRID)
    module.load_state_dict(other.state_dict())
    assert torch.equal(module(patches, GRID), wanted)
    assert not torch.equal(before, wanted)


@pytest.mark.parametrize("new", [new_tower, new_resampler])
def test_another_dtype_is_not_answered_from_memory(new: New) -> None:
    patches = torch.randn(2, 12, 12, generator=torch.Generator().manual_seed(1))
    module = new(1)
    rough = module(patches, GRID)
    exact = module.double()(patches.double(), GRID)
    assert exact.dtype == torch.float64
    torch.testing.assert_close(rough.double(), exact, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("new", [new_tower, new_resampler])
def test_grids_of_as_many_patches_are_told_apart(new: New) -> None:
    patches = torch.randn(1, 12, 12, generator=torch.Generator().manual_seed(1))
    module = new(1)
    first = module(patches, (3, 4))
    assert not torch.allclose(module(patches, (4, 3)), first)
    assert torch.equal(module(patches, (3, 4)), first)


@pytest.mark.parametrize("new", [new_tower, new_resampler])
def test_what_is_remembered_is_what_is_read(new: New) -> None:
    """Whoever captures a run holds on to it, so it has to be all of it and the very tensors."""
    patches = torch.randn(1, 12, 12, generator=torch.Generator().manual_seed(1))
    module = new(1)
    before, kept = module(patches, GRID), module.remembered(GRID)
    for tensor in kept:
        tensor.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(2)))
        after = module(patches, GRID)
        assert not torch.allclose(after, before)
        before = after
    memories = [
        m for part in module.modules() for m in vars(part).values() if isinstance(m, Remembered)
    ]
    assert {id(t) for m in memories for t in m._kept.values()} == {id(t) for t in kept}


def test_only_the_latest_grids_are_remembered() -> None:
    made: list[int] = []
    weight, memory = torch.zeros(1), Remembered()

    def ask(rows: int) -> None:
        def make() -> Tensor:
            made.append(rows)
            return weight

        memory.get((rows, 1), [weight], make)

    for rows in [*range(8), 0, 8, 0, 1]:
        ask(rows)
    assert made == [0, 1, 2, 3, 4, 5, 6, 7, 8, 1]
