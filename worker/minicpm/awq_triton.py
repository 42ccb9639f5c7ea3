"""AWQ on a GPU: our Triton kernels. Importable only where Triton is.

A few rows (decoding) are multiplied with the packed weight as it is read: memory traffic is all
that counts. Many rows (prefill) get a dequantised copy and the library's matrix product.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from worker.minicpm.awq import GROUP
from worker.minicpm.split_k import add_parts, count_parts, counters

FEW_ROWS = 256  # up to here the packed weight is multiplied
COPY = 48 << 20  # most numbers that are dequantised at once: half of the largest weight
ASSEMBLY = torch.version.hip is None and not triton.knobs.runtime.interpret  # it is NVIDIA's


@dataclass(frozen=True, slots=True)
class Blocks:
    """The part of a product that one program computes, and how."""

    rows: int
    outputs: int
    warps: int
    stages: int  # groups that are under way


BLOCKS = (Blocks(16, 64, 4, 4), Blocks(32, 64, 4, 4), Blocks(64, 64, 4, 3))
"""Few rows take the first that holds them all, more the last."""


def _assembly(magic: int, one: int, kind: str) -> tl.constexpr:
    """PTX: two words and their negated offsets → the 8 centred numbers of each, in pairs.

    Elementwise, but two elements at a time: the first is in the lower half of what is paired.

    A nibble in the lowest bits of a float's mantissa needs no conversion: `magic` | q is the number
    base + q, exactly; 1 · (base + q) − (base + z) is q − z. 24 instructions for 16 numbers.
    """
    lines = [
        "{.reg .b32 half, pair, one;",
        f"mov.b32 one, {one:#x};",
    ]
    for half, bytes_ in enumerate(("0x5410", "0x7632")):
        lines.append(f"prmt.b32 half, $8, $9, {bytes_};")
        for nibble in range(4):
            lines.append(f"shr.u32 pair, half, {4 * nibble};")
            lines.append(f"lop3.b32 pair, pair, 0x000F000F, {magic:#x}, 0xEA;")
            lines.append(f"fma.rn.{kind} ${4 * half + nibble}, pair, one, $10;")
    return tl.constexpr("\n".join([*lines, "}"]))


UNPACK_BF16 = _assembly(0x43004300, 0x3F803F80, "bf16x2")  # 128 + q
UNPACK_FP16 = _assembly(0x64006400, 0x3C003C00, "f16x2")  # 1024 + q
REGISTERS = tl.constexpr("=r,=r,=r,=r,=r,=r,=r,=r,r,r,r")


@triton.jit
def _centre_plainly(words, zeros, dtype: tl.constexpr):  # type: ignore[no-untyped-def]
    """(N, 16) words, (N, 1) zeros → eight (N, 16): nibble j minus the zero."""
    return (
        ((words & 15) - zeros).to(dtype),
        (((words >> 4) & 15) - zeros).to(dtype),
        (((words >> 8) & 15) - zeros).to(dtype),
        (((words >> 12) & 15) - zeros).to(dtype),
        (((words >> 16) & 15) - zeros).to(dtype),
        (((words >> 20) & 15) - zeros).to(dtype),
        (((words >> 24) & 15) - zeros).to(dtype),
        (((words >> 28) & 15) - zeros).to(dtype),
    )


@triton.jit
def _centre_in_pairs(words, zeros, dtype: tl.constexpr, BLOCK_N: tl.constexpr):  # type: ignore[no-untyped-def]
    """The same by `_assembly`; only bfloat16 and float16."""
    if dtype == tl.bfloat16:
        offsets = (zeros | 0xC300).to(tl.int16).to(tl.bfloat16, bitcast=True)  # −(128 + z)
        return tl.inline_asm_elementwise(
            UNPACK_BF16, REGISTERS, [words, tl.broadcast_to(offsets, (BLOCK_N, 16))],
            dtype=(tl.bfloat16,) * 8, is_pure=True, pack=2,
        )  # fmt: skip
    else:
        offsets = (zeros | 0xE400).to(tl.int16).to(tl.float16, bitcast=True)  # −(1024 + z)
        return tl.inline_asm_elementwise(
            UNPACK_FP16, REGISTERS, [words, tl.broadcast_to(offsets, (BLOCK_N, 16))],
            dtype=(tl.float16,) * 8, is_pure=True, pack=2,
        )  # fmt: skip


@triton.jit
def _line_up(planes, BLOCK_N: tl.constexpr):  # type: ignore[no-untyped-def]
    """Eight (N, 16) → (N, 128), one behind the other. No number leaves its thread."""
    p0, p1, p2, p3, p4, p5, p6, p7 = planes
    even = tl.join(tl.join(p0, p4), tl.join(p2, p6))
    odd = tl.join(tl.join(p1, p5), tl.join(p3, p7))
    bits = tl.join(even, odd)  # (N, 16, 2, 2, 2): the plane's index in binary
    return tl.reshape(tl.permute(bits, (0, 2, 3, 4, 1)), (BLOCK_N, 128))


@triton.jit
def _scale(shared):  # type: ignore[no-untyped-def]
    return (shared >> 16).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit(do_not_specialize=["rows"])  # else 1, 2 and 16 rows are compiled apart
def _matmul_kernel(  # type: ignore[no-untyped-def]
    x, tiles, shared, out, parts, counters, rows, inputs, outputs,
    PARTS: tl.constexpr, ASSEMBLY: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """out[m, n] = Σ over groups of s[g, n] · Σ over k in g of (q - z)[k, n] · x[m, k].

    The weight is the left operand: its outputs fill the rows of the tensor cores' tiles, and a few
    rows of x cost no more than they are.
    """
    tile = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    row = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    part, groups = tl.program_id(2), inputs // 128
    output = tl.minimum(column, outputs - 1)
    k, word = tl.arange(0, 128), tl.arange(0, 16)
    total = tl.zeros((BLOCK_N, BLOCK_M), dtype=tl.float32)
    for group in tl.range(part * groups // PARTS, (part + 1) * groups // PARTS, num_stages=STAGES):
        place = group * outputs + output
        words = tl.load(tiles + place[:, None] * 16 + word[None, :], eviction_policy="evict_first")
        common = tl.load(shared + place)
        values = tl.load(
            x + row[None, :] * inputs + (group * 128 + k)[:, None],
            mask=(row < rows)[None, :], other=0.0,
        )  # fmt: skip
        zeros = (common & 15)[:, None]
        if ASSEMBLY:
            planes = _centre_in_pairs(words, zeros, x.dtype.element_ty, BLOCK_N)
        else:
            planes = _centre_plainly(words, zeros, x.dtype.element_ty)
        product = tl.dot(_line_up(planes, BLOCK_N), values)
        total += product * _scale(common)[:, None]
    add_parts(
        total, parts + tile * (PARTS * BLOCK_N * BLOCK_M), counters + tile,
        tl.program_id(0) * BLOCK_M, rows, column, out, outputs, part, PARTS, BLOCK_N, BLOCK_M,
    )  # fmt: skip


@triton.jit
def _dequantise_kernel(  # type: ignore[no-untyped-def]
    tiles, shared, weight, inputs, first, outputs, all_outputs, BLOCK_N: tl.constexpr
):
    """weight[n, k] = (q - z) · s of output first + n, computed in float32."""
    group = tl.program_id(1)
    column = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    place = group * all_outputs + first + tl.minimum(column, outputs - 1)
    words = tl.load(tiles + place[:, None] * 16 + tl.arange(0, 16)[None, :])
    common = tl.load(shared + place)
    planes = _centre_plainly(words, (common & 15)[:, None], tl.float32)
    exact = _line_up(planes, BLOCK_N) * _scale(common)[:, None]
    k = group * 128 + tl.arange(0, 128)
    target = weight + column[:, None].to(tl.int64) * inputs + k[None, :]
    tl.store(target, exact.to(weight.dtype.element_ty), mask=(column < outputs)[:, None])


def matmul(x: Tensor, tiles: Tensor, shared: Tensor) -> Tensor:
    """(M, K) → (M, N) in x's dtype, accumulated in float32."""
    if len(x) <= FEW_ROWS and x.dtype != torch.float32:
        return multiply_packed(x, tiles, shared)
    return multiply_dequantised(x, tiles, shared)


def multiply_dequantised(x: Tensor, tiles: Tensor, shared: Tensor) -> Tensor:
    """Multiply by a dequantised copy, or by one part of the weight's after the other."""
    outputs, share = shared.shape[1], COPY // x.shape[1]
    if outputs <= share:
        return F.linear(x, dequantise(tiles, shared, x.dtype, 0, outputs))
    y = torch.empty(len(x), outputs, device=x.device, dtype=x.dtype)
    for first in range(0, outputs, share):
        weight = dequantise(tiles, shared, x.dtype, first, min(share, outputs - first))
        torch.mm(x, weight.t(), out=y[:, first : first + len(weight)])
    return y


def multiply_packed(
    x: Tensor, tiles: Tensor, shared: Tensor, blocks: Blocks | None = None, parts: int | None = None
) -> Tensor:
    """Multiply without a dequantised copy. A row's result has the same bits beside any others."""
    (rows, inputs), (groups, outputs) = x.shape, shared.shape
    fixed = constants(rows, parts or count_parts(outputs, groups), blocks)
    block_m, block_n, parts = fixed["BLOCK_M"], fixed["BLOCK_N"], fixed["PARTS"]
    grid = (triton.cdiv(rows, block_m), triton.cdiv(outputs, block_n), parts)
    room = grid[0] * grid[1] * parts * block_n * block_m if parts > 1 else 1
    out = torch.empty(rows, outputs, device=x.device, dtype=x.dtype)
    _matmul_kernel[grid](
        x.contiguous(), tiles, shared, out,
        torch.empty(room, device=x.device, dtype=torch.float32), counters(x.device),
        rows, inputs, outputs, **fixed,
    )  # fmt: skip
    return out


def constants(rows: int, parts: int, blocks: Blocks | None = None) -> dict[str, int]:
    """What the kernel for so many rows is compiled for."""
    blocks = blocks or next((b for b in BLOCKS if b.rows >= rows), BLOCKS[-1])
    return {
        "PARTS": parts,
        "ASSEMBLY": ASSEMBLY,
        "BLOCK_M": blocks.rows,
        "BLOCK_N": blocks.outputs,
        "STAGES": blocks.stages,
        "num_warps": blocks.warps,
    }


def dequantise(
    tiles: Tensor, shared: Tensor, dtype: torch.dtype, first: int, outputs: int
) -> Tensor:
    """Return the weight (outputs, K), from output `first` on."""
    groups, all_outputs = shared.shape
    weight = torch.empty(outputs, groups * GROUP, device=tiles.device, dtype=dtype)
    _dequantise_kernel[(triton.cdiv(outputs, 64), groups)](
        tiles, shared, weight, groups * GROUP, first, outputs, all_outputs, BLOCK_N=64
    )
    return weight
