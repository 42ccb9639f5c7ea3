"""A few rows times a bfloat16 or float16 weight, on a GPU. Importable only where Triton is.

Reading the weight is all the cost: as in awq_triton, the weight is the left operand, and several
programs share a tile where there are too few tiles to keep the memory busy.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from worker.minicpm.split_k import add_parts, count_parts, counters

FEW_ROWS = 64  # that a program computes at most
MANY_OUTPUTS = 1 << 16  # so many, and a tile of them is never shared by programs
STEP = 128  # a sum is shared in runs of so many inputs, whatever the blocks


@dataclass(frozen=True, slots=True)
class Blocks:
    """The part of a product that one program computes, and how."""

    outputs: int
    inputs: int  # per turn; divides STEP
    warps: int
    stages: int  # turns that are under way


BLOCKS = {16: Blocks(64, 128, 4, 3), 32: Blocks(64, 128, 4, 3), 64: Blocks(64, 64, 4, 4)}
"""By the number of rows that a program computes."""


@triton.jit(do_not_specialize=["rows"])  # else 1, 2 and 16 rows are compiled apart
def _matmul_kernel(  # type: ignore[no-untyped-def]
    x, weight, out, parts, counters, rows, inputs, outputs,
    PARTS: tl.constexpr, STEP: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """out[m, n] = Σ x[m, k] · weight[n, k], in float32."""
    tile = tl.program_id(0)
    row, k = tl.arange(0, BLOCK_M), tl.arange(0, BLOCK_K)
    column = tile * BLOCK_N + tl.arange(0, BLOCK_N)
    part, steps = tl.program_id(1), inputs // STEP
    output = tl.minimum(column, outputs - 1).to(tl.int64)
    total = tl.zeros((BLOCK_N, BLOCK_M), dtype=tl.float32)
    start, end = part * steps // PARTS * STEP, (part + 1) * steps // PARTS * STEP
    for first in tl.range(start, end, BLOCK_K, num_stages=STAGES):
        numbers = tl.load(
            weight + output[:, None] * inputs + (first + k)[None, :], eviction_policy="evict_first"
        )
        values = tl.load(
            x + row[None, :] * inputs + (first + k)[:, None],
            mask=(row < rows)[None, :], other=0.0,
        )  # fmt: skip
        total = tl.dot(numbers, values, total)
    add_parts(
        total, parts + tile * (PARTS * BLOCK_N * BLOCK_M), counters + tile,
        0, rows, column, out, outputs, part, PARTS, BLOCK_N, BLOCK_M,
    )  # fmt: skip


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """x (M, K), weight (N, K) → (M, N) in x's dtype, accumulated in float32."""
    whole = weight.shape[1] % STEP == 0 and weight.is_contiguous()
    if x.dtype == torch.float32 or not whole or not pays(len(x), len(weight)):
        return F.linear(x, weight)
    return multiply(x, weight)


def pays(rows: int, outputs: int) -> bool:
    """Whether ours is faster than the library's, as measured (docs/experiments.md, "Linears")."""
    return rows <= FEW_ROWS if outputs >= MANY_OUTPUTS else rows <= 16


def multiply(
    x: Tensor, weight: Tensor, blocks: Blocks | None = None, parts: int | None = None
) -> Tensor:
    """Multiply up to 64 rows. A row's result has the same bits beside any others."""
    rows, (outputs, inputs) = len(x), weight.shape
    fixed = constants(rows, parts or count_parts(outputs, inputs // STEP), blocks)
    block_m, block_n, parts = fixed["BLOCK_M"], fixed["BLOCK_N"], fixed["PARTS"]
    grid = (triton.cdiv(outputs, block_n), parts)
    room = grid[0] * parts * block_n * block_m if parts > 1 else 1
    out = torch.empty(rows, outputs, device=x.device, dtype=x.dtype)
    _matmul_kernel[grid](
        x.contiguous(), weight, out,
        torch.empty(room, device=x.device, dtype=torch.float32), counters(x.device),
        rows, inputs, outputs, **fixed,
    )  # fmt: skip
    return out


def constants(rows: int, parts: int, blocks: Blocks | None = None) -> dict[str, int]:
    """What the kernel for so many rows is compiled for."""
    block_m = max(16, triton.next_power_of_2(rows))
    blocks = blocks or BLOCKS[block_m]
    return {
        "PARTS": parts,
        "STEP": STEP,
        "BLOCK_M": block_m,
        "BLOCK_N": blocks.outputs,
        "BLOCK_K": blocks.inputs,
        "STAGES": blocks.stages,
        "num_warps": blocks.warps,
    }
