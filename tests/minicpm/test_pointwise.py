"""Pointwise work by torch and by our kernels, against plain float64."""

from types import ModuleType

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch
from torch import Tensor

from tests.minicpm.interpreter import run_interpreted
from worker.minicpm import pointwise

EPS = 1e-6
ROOM = 40
KERNELS = ("check_norms", "check_silu", "check_rotation")


def noise(*shape: int, seed: int = 1, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def assert_rounded_once(ours: Tensor, exact: Tensor, steps: float = 1.01) -> None:
    """At most a rounding (or `steps` half steps) away, and what float32 inside may add."""
    eps = torch.finfo(ours.dtype).eps
    ours = ours.cpu().double()
    slack = 2e-6 if eps > 1e-10 else 1e-12
    torch.testing.assert_close(ours, exact, rtol=steps * eps / 2 + slack, atol=slack)


def check_norms(module: ModuleType, device: str, dtypes: list[torch.dtype]) -> None:
    for dtype in dtypes:
        for width in (1152, 256, 4096):
            x, update = (3 * noise(5, width, seed=s, dtype=dtype) + 0.5 for s in (1, 2))
            weight, bias = (noise(width, seed=s, dtype=dtype) for s in (3, 4))
            for more in (update, None):
                total = x if more is None else x + more
                exact = total.double()
                args = [None if t is None else t.to(device) for t in (x, more, weight)]
                ours = module.add_rms_norm(*args, EPS)
                root = (exact.square().mean(-1, keepdim=True) + EPS).sqrt()
                assert torch.equal(ours[0].cpu(), total)
                assert_rounded_once(ours[1], exact / root * weight.double())

                ours = module.add_layer_norm(*args, bias.to(device), EPS)
                centred = exact - exact.mean(-1, keepdim=True)
                spread = (centred.square().mean(-1, keepdim=True) + EPS).sqrt()
                assert torch.equal(ours[0].cpu(), total)
                assert_rounded_once(ours[1], centred / spread * weight.double() + bias.double())


def check_silu(module: ModuleType, device: str, dtypes: list[torch.dtype]) -> None:
    for dtype in dtypes:
        for rows, width in ((1, 12288), (3, 208)):
            gate_up = 4 * noise(rows, 2 * width, dtype=dtype)
            gate, up = gate_up.double().chunk(2, -1)
            ours = module.silu_mul(gate_up.to(device))
            assert_rounded_once(ours, gate * gate.sigmoid() * up)


def turn_exactly(heads: Tensor, weight: Tensor, angles: Tensor, dtype: torch.dtype) -> Tensor:
    """(T, N, D) normalised, rounded to `dtype`, turned by angles (T, D/2); float64."""
    root = (heads.double().square().mean(-1, keepdim=True) + EPS).sqrt()
    first, second = (heads.double() / root * weight.double()).to(dtype).double().chunk(2, -1)
    cos, sin = angles.double().cos()[:, None], angles.double().sin()[:, None]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def check_rotation(module: ModuleType, device: str, dtypes: list[torch.dtype]) -> None:
    for dtype in dtypes:
        for heads, kv_heads, d in ((32, 8, 128), (4, 2, 64)):
            slots, positions = torch.tensor([3, 0, 3, 1]), torch.tensor([7, 39, 8, 0])
            angles = torch.arange(ROOM)[:, None] * noise(d // 2, dtype=torch.float32)
            cos, sin = (torch.cat([t, t], -1) for t in (angles.cos(), angles.sin()))
            qkv = noise(4, (heads + 2 * kv_heads) * d, dtype=dtype)
            weights = [1 + noise(d, seed=s, dtype=dtype) / 4 for s in (2, 3)]
            keys, values = (
                torch.full((4, kv_heads, ROOM, d), 9.0, dtype=dtype, device=device)
                for _ in range(2)
            )
            inputs = [t.to(device) for t in (qkv, *weights, cos, sin, positions, slots)]
            q = module.rotate_and_store(*inputs[:3], EPS, *inputs[3:], keys, values).cpu()
            parts = qkv.unflatten(-1, (-1, d)).split((heads, kv_heads, kv_heads), dim=1)
            turns = angles[positions]
            # a normalised number on the edge of two roundings may fall to either side
            assert_turned(q, turn_exactly(parts[0], weights[0], turns, dtype))
            stored = keys.cpu()[slots, :, positions]
            assert_turned(stored, turn_exactly(parts[1], weights[1], turns, dtype))
            assert torch.equal(values.cpu()[slots, :, positions], parts[2])
            for table in (keys, values):
                table[slots, :, positions] = 9.0
                assert bool((table == 9.0).all())


def assert_turned(ours: Tensor, exact: Tensor) -> None:
    eps = torch.finfo(ours.dtype).eps
    assert (ours.double() - exact).abs().max() < 3 * eps * exact.abs().max() + 2e-6


@pytest.mark.parametrize("check", KERNELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_torch_rounds_once(check: str, dtype: torch.dtype) -> None:
    globals()[check](pointwise, "cpu", [dtype])


@pytest.mark.parametrize("check", KERNELS)
def test_kernels_round_once_in_the_interpreter(check: str) -> None:
    run_interpreted(
        "import torch; from tests.minicpm import test_pointwise;"
        "from worker.minicpm import pointwise_triton;"
        f"test_pointwise.{check}(pointwise_triton, 'cpu', [torch.float32, torch.float16])"
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("check", KERNELS)
def test_kernels_round_once_on_a_gpu(check: str) -> None:
    globals()[check](pointwise, "cuda", [torch.float32, torch.float16, torch.bfloat16])
