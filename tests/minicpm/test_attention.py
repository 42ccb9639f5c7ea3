"""Attention by torch and by our kernels, against plain float64."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor

from tests.minicpm.interpreter import run_interpreted
from worker.minicpm import attention
from worker.minicpm.triton_support import runs_triton

NOT_A_NUMBER = float("nan")


@dataclass(frozen=True)
class Scene:
    """Queries (T, H, D) packed row by row, and a cache that holds nan where nothing was stored."""

    q: Tensor
    keys: Tensor
    values: Tensor
    slots: Tensor
    starts: Tensor
    before: Tensor

    @property
    def lengths(self) -> Tensor:
        """What each slot holds."""
        return self.before + self.starts.diff()

    def to(self, device: str) -> "Scene":
        return Scene(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def attend_step(self, module: ModuleType) -> Tensor:
        return module.attend_step(self.q, self.keys, self.values, self.slots, self.lengths)

    def attend_prompts(self, module: ModuleType) -> Tensor:
        longest = int(self.starts.diff().max())
        return module.attend_prompts(
            self.q, self.keys, self.values, self.slots, self.starts, self.before, longest
        )


def scene(
    pieces: Sequence[tuple[int, int, int]],
    dtype: torch.dtype,
    room: int = 300,
    heads: int = 8,
    kv_heads: int = 2,
    d: int = 128,
) -> Scene:
    """Make rows of (slot, positions before, queries), each the same whatever is beside it."""
    starts = [0]
    shape = (1 + max(slot for slot, _, _ in pieces), kv_heads, room, d)
    keys, values = (torch.full(shape, NOT_A_NUMBER, dtype=dtype) for _ in range(2))
    queries = []
    for slot, past, count in pieces:
        starts.append(starts[-1] + count)
        dice = torch.Generator().manual_seed(slot)
        stored = torch.randn(2, kv_heads, 320, d, generator=dice)[:, :, : past + count]
        keys[slot, :, : past + count], values[slot, :, : past + count] = stored.to(dtype)
        asked = torch.randn(320, heads, d, generator=dice)[past : past + count]
        queries.append(2 * asked.to(dtype))
    slots, before = (torch.tensor([piece[i] for piece in pieces]) for i in (0, 1))
    return Scene(torch.cat(queries), keys, values, slots, torch.tensor(starts), before)


def exact_mix(given: Scene) -> Tensor:
    """(T, H · D) in float64, query by query."""
    group = given.q.shape[1] // given.keys.shape[1]
    rows = []
    for row, slot in enumerate(given.slots.tolist()):
        first, last = given.starts[row : row + 2].tolist()
        for i, query in enumerate(given.q[first:last].double()):
            seen = int(given.before[row]) + i + 1
            k, v = (
                table[slot, :, :seen].double().repeat_interleave(group, 0)
                for table in (given.keys, given.values)
            )
            weights = (k @ query[:, :, None] / query.shape[1] ** 0.5).softmax(1)  # (H, seen, 1)
            rows.append((weights * v).sum(1).flatten())
    return torch.stack(rows)


STEPS = [(4, 0, 1), (0, 127, 1), (3, 128, 1), (1, 299, 1), (2, 41, 1)]
PIECES = [(2, 0, 1), (0, 0, 70), (3, 17, 33), (1, 130, 1), (4, 63, 65)]
GRIDS = [1, 17, 64, 147]
HEADS = [72, 16, 80]
LIMITS = {torch.float64: 1e-9, torch.float32: 2e-6, torch.float16: 3e-3, torch.bfloat16: 2e-2}


def assert_near(ours: Tensor, exact: Tensor, dtype: torch.dtype) -> None:
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.cpu().double(), exact, atol=LIMITS[dtype], rtol=LIMITS[dtype])


def check_steps(module: ModuleType, device: str, dtypes: list[torch.dtype]) -> None:
    for dtype in dtypes:
        for d, heads, kv_heads in ((128, 8, 2), (64, 4, 2)):
            given = scene(STEPS, dtype, d=d, heads=heads, kv_heads=kv_heads)
            mixed = given.to(device).attend_step(module)
            assert_near(mixed, exact_mix(given), dtype)


def check_prompts(module: ModuleType, device: str, dtypes: list[torch.dtype]) -> None:
    for dtype in dtypes:
        for d, heads, kv_heads in ((128, 8, 2), (64, 4, 2)):
            given = scene(PIECES, dtype, d=d, heads=heads, kv_heads=kv_heads)
            mixed = given.to(device).attend_prompts(module)
            assert_near(mixed, exact_mix(given), dtype)


def check_views(module: ModuleType, device: str, dtypes: list[torch.dtype]) -> None:
    for dtype in dtypes:
        for length in GRIDS:
            for d in HEADS:
                dice = torch.Generator().manual_seed(length)
                qkv = torch.randn(2, length, 3, 2, d, generator=dice).to(dtype)
                q, k, v = qkv.double().permute(2, 0, 3, 1, 4)
                weights = (q @ k.transpose(-1, -2) / d**0.5).softmax(-1)
                exact = (weights @ v).transpose(1, 2).flatten(-2)
                assert_near(module.attend_views(qkv.to(device)), exact, dtype)


def check_independence(
    module: ModuleType, device: str, dtype: torch.dtype, cuts: Sequence[int] = (1, 64, 77)
) -> None:
    """A row's bits: alone, in another order, in a cache of other room, cut into other pieces."""
    together = scene(STEPS, dtype).to(device).attend_step(module)
    for row, piece in enumerate(STEPS):
        alone = scene([piece], dtype, room=piece[1] + 1).to(device).attend_step(module)
        assert torch.equal(alone[0], together[row])
    backwards = scene(STEPS[::-1], dtype, room=900).to(device).attend_step(module)
    assert torch.equal(backwards.flip(0), together)

    whole = scene([(0, 0, 150)], dtype).to(device).attend_prompts(module)
    for cut in cuts:
        parts = [
            scene([(0, past, count), (5, 3, 40)], dtype).to(device).attend_prompts(module)[:count]
            for past, count in ((0, cut), (cut, 150 - cut))
        ]
        assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_torch_mixes_what_a_query_may_see(dtype: torch.dtype) -> None:
    check_steps(attention, "cpu", [dtype])
    check_prompts(attention, "cpu", [dtype])
    check_views(attention, "cpu", [dtype])


@pytest.mark.parametrize(
    "call",
    [
        "check_steps(attention_triton, 'cpu', [torch.float32, torch.float16])",
        "check_prompts(attention_triton, 'cpu', [torch.float32, torch.float16])",
        "check_views(attention_triton, 'cpu', [torch.float32, torch.float16])",
        # NumPy multiplies the rows of a matrix in several ways: cut where a tile of 32 queries ends
        "check_independence(attention_triton, 'cpu', torch.float16, cuts=(32, 64, 96))",
    ],
)
def test_kernels_mix_what_a_query_may_see_in_the_interpreter(call: str) -> None:
    run_interpreted(
        "import torch; from tests.minicpm.test_attention import *;"
        f"from worker.minicpm import attention_triton; {call}"
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_kernels_mix_what_a_query_may_see_on_a_gpu() -> None:
    dtypes = [torch.float32, torch.float16, torch.bfloat16]
    check_steps(attention, "cuda", dtypes)
    check_prompts(attention, "cuda", dtypes)
    check_views(attention, "cuda", dtypes)
    if runs_triton(torch.device("cuda")):
        check_independence(attention, "cuda", torch.bfloat16)
