"""Pointwise work on a GPU: our Triton kernels. Importable only where Triton is."""

import torch
import triton
import triton.language as tl
from torch import Tensor

RMS_WARPS = 8
LAYER_WARPS = 4
SILU_BLOCK, SILU_WARPS = 2048, 4
ROTATE_WARPS = 1


@triton.jit
def _rms_kernel(  # type: ignore[no-untyped-def]
    x, update, weight, total, normed, width, eps, ADD: tl.constexpr, BLOCK: tl.constexpr
):
    """One row."""
    column = tl.arange(0, BLOCK)
    inside = column < width
    place = tl.program_id(0).to(tl.int64) * width + column
    value = tl.load(x + place, mask=inside, other=0.0)
    factor = tl.load(weight + column, mask=inside, other=0.0)
    if ADD:
        more = tl.load(update + place, mask=inside, other=0.0)
        value = (value.to(tl.float32) + more.to(tl.float32)).to(value.dtype)
        tl.store(total + place, value, mask=inside)
    exact = value.to(tl.float32)
    scale = tl.rsqrt(tl.sum(exact * exact, 0) / width + eps)
    result = exact * scale * factor.to(tl.float32)
    tl.store(normed + place, result.to(value.dtype), mask=inside)


@triton.jit
def _layer_kernel(  # type: ignore[no-untyped-def]
    x, update, weight, bias, total, normed, width, eps, ADD: tl.constexpr, BLOCK: tl.constexpr
):
    """One row."""
    column = tl.arange(0, BLOCK)
    inside = column < width
    place = tl.program_id(0).to(tl.int64) * width + column
    value = tl.load(x + place, mask=inside, other=0.0)
    factor = tl.load(weight + column, mask=inside, other=0.0)
    offset = tl.load(bias + column, mask=inside, other=0.0)
    if ADD:
        more = tl.load(update + place, mask=inside, other=0.0)
        value = (value.to(tl.float32) + more.to(tl.float32)).to(value.dtype)
        tl.store(total + place, value, mask=inside)
    exact = value.to(tl.float32)
    centred = tl.where(inside, exact - tl.sum(exact, 0) / width, 0.0)
    scale = tl.rsqrt(tl.sum(centred * centred, 0) / width + eps)
    result = centred * scale * factor.to(tl.float32) + offset.to(tl.float32)
    tl.store(normed + place, result.to(value.dtype), mask=inside)


@triton.jit
def _silu_kernel(gate_up, out, width, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """A block of one row."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    gate = tl.load(gate_up + row * 2 * width + column, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * width + width + column, mask=inside, other=0.0)
    result = gate / (1.0 + tl.exp(-gate)) * up.to(tl.float32)
    tl.store(out + row * width + column, result.to(up.dtype), mask=inside)


@triton.jit
def _turn(first, second, weight, cos, sin, eps, HALF: tl.constexpr):  # type: ignore[no-untyped-def]
    """Normalise heads, given as halves (heads, HALF), round them, turn their pairs."""
    h = tl.arange(0, HALF)[None, :]
    one, two = first.to(tl.float32), second.to(tl.float32)
    scale = tl.rsqrt((tl.sum(one * one, 1) + tl.sum(two * two, 1)) / (2 * HALF) + eps)[:, None]
    one = one * scale * tl.load(weight + h).to(tl.float32)
    two = two * scale * tl.load(weight + HALF + h).to(tl.float32)
    one, two = one.to(first.dtype).to(tl.float32), two.to(first.dtype).to(tl.float32)
    turned = (one * cos - two * sin).to(first.dtype)
    return turned, (two * cos + one * sin).to(first.dtype)


@triton.jit
def _rotate_kernel(  # type: ignore[no-untyped-def]
    qkv, q_weight, k_weight, cos, sin, positions, slots, keys, values, q,
    kv_heads, room, eps,
    GROUP: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """As many heads of one token as there are kv heads: some of the queries', the keys, the values."""
    token, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    D: tl.constexpr = 2 * HALF
    head, h = tl.arange(0, BLOCK)[:, None], tl.arange(0, HALF)[None, :]
    inside = head < kv_heads
    source = qkv + (token * (GROUP + 2) + part) * kv_heads * D + head * D + h
    first = tl.load(source, mask=inside, other=0.0)
    second = tl.load(source + HALF, mask=inside, other=0.0)
    position = tl.load(positions + token)
    cosine = tl.load(cos + position * D + h)
    sine = tl.load(sin + position * D + h)
    cell = (tl.load(slots + token).to(tl.int64) * kv_heads * room + position) * D
    if part < GROUP:
        first, second = _turn(first, second, q_weight, cosine, sine, eps, HALF)
        target = q + (token * GROUP + part) * kv_heads * D + head * D + h
    elif part == GROUP:
        first, second = _turn(first, second, k_weight, cosine, sine, eps, HALF)
        target = keys + cell + head * room * D + h
    else:
        target = values + cell + head * room * D + h
    tl.store(target, first, mask=inside)
    tl.store(target + HALF, second, mask=inside)


def add_rms_norm(
    x: Tensor, update: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """See `pointwise.add_rms_norm`."""
    x, update, total, normed = _prepare(x, update)
    width = x.shape[-1]
    _rms_kernel[(x.numel() // width,)](
        x, update, weight, total, normed, width, eps,
        ADD=total is not x, BLOCK=triton.next_power_of_2(width), num_warps=RMS_WARPS,
    )  # fmt: skip
    return total, normed


def add_layer_norm(
    x: Tensor, update: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """See `pointwise.add_layer_norm`."""
    x, update, total, normed = _prepare(x, update)
    width = x.shape[-1]
    _layer_kernel[(x.numel() // width,)](
        x, update, weight, bias, total, normed, width, eps,
        ADD=total is not x, BLOCK=triton.next_power_of_2(width), num_warps=LAYER_WARPS,
    )  # fmt: skip
    return total, normed


def silu_mul(gate_up: Tensor) -> Tensor:
    """See `pointwise.silu_mul`."""
    rows, width = gate_up.shape[0], gate_up.shape[1] // 2
    out = torch.empty(rows, width, device=gate_up.device, dtype=gate_up.dtype)
    _silu_kernel[(rows, triton.cdiv(width, SILU_BLOCK))](
        gate_up.contiguous(), out, width, BLOCK=SILU_BLOCK, num_warps=SILU_WARPS
    )
    return out


def rotate_and_store(
    qkv: Tensor, q_weight: Tensor, k_weight: Tensor, eps: float, cos: Tensor, sin: Tensor,
    positions: Tensor, slots: Tensor, keys: Tensor, values: Tensor,
) -> Tensor:  # fmt: skip
    """See `pointwise.rotate_and_store`."""
    tokens, (_, kv_heads, room, d) = len(qkv), keys.shape
    group = qkv.shape[1] // d // kv_heads - 2
    q = torch.empty(tokens, group * kv_heads, d, device=qkv.device, dtype=qkv.dtype)
    _rotate_kernel[(tokens, group + 2)](
        qkv.contiguous(), q_weight, k_weight, cos, sin, positions, slots, keys, values, q,
        kv_heads, room, eps,
        GROUP=group, HALF=d // 2, BLOCK=triton.next_power_of_2(kv_heads), num_warps=ROTATE_WARPS,
    )  # fmt: skip
    return q


def _prepare(x: Tensor, update: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x and update, contiguous, and where sum and result go. Without an update x is the sum."""
    x = x.contiguous()
    normed = torch.empty_like(x)
    if update is None:
        return x, x, x, normed
    return x, update.contiguous(), torch.empty_like(x), normed
