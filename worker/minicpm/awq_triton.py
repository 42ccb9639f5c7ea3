"""AWQ on a GPU: our Triton kernels. Importable only where Triton is.

A few rows (decoding) are multiplied with the packed weight as it is read: memory traffic is all
that counts. Many rows (prefill) get a dequantised copy and the library's matrix product.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from worker.minicpm.awq import GROUP, PACK

FEW_ROWS = 64  # up to here the fused kernel is used
BLOCK_K = 64  # inputs per turn; divides a group
BLOCK_N = 64  # outputs per program
MAX_SPLITS = 8  # parts of the inputs summed by different programs
WANTED_PROGRAMS = 256  # about two for each multiprocessor


@triton.jit
def _spread(words):  # type: ignore[no-untyped-def]
    """(R, C) words → (R, 8·C), each repeated 8 times in a row."""
    words = tl.interleave(words, words)
    words = tl.interleave(words, words)
    return tl.interleave(words, words)


@triton.jit
def _shifts(columns):  # type: ignore[no-untyped-def]
    """The bit at which each logical column starts in its word: 0 16 4 20 8 24 12 28."""
    place = columns % 8
    return (place // 2) * 4 + (place % 2) * 16


@triton.jit
def _matmul_kernel(  # type: ignore[no-untyped-def]
    x, qweight, qzeros, scales, partial,
    rows, inputs, outputs, inputs_per_split,
    GROUP: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """partial[split, m, n] = Σ over the split's groups of s[g, n] · Σ over k in g of x·(q - z)."""
    split = tl.program_id(1)
    row = tl.program_id(2) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    word = tl.program_id(0) * (BLOCK_N // 8) + tl.arange(0, BLOCK_N // 8)
    words = outputs // 8
    shifts = _shifts(column)[None, :]
    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    start = split * inputs_per_split
    for first in range(start, tl.minimum(start + inputs_per_split, inputs), BLOCK_K):
        k = first + tl.arange(0, BLOCK_K)
        group = first // GROUP
        packed = tl.load(
            qweight + k[:, None] * words + word[None, :], mask=word[None, :] < words, other=0
        )
        zeros = tl.load(qzeros + group * words + word[None, :], mask=word[None, :] < words, other=0)
        scale = tl.load(scales + group * outputs + column, mask=column < outputs, other=0.0)
        values = tl.load(
            x + row[:, None] * inputs + k[None, :], mask=row[:, None] < rows, other=0.0
        )
        centred = ((_spread(packed) >> shifts) & 15) - ((_spread(zeros) >> shifts) & 15)
        product = tl.dot(values, centred.to(values.dtype), input_precision="ieee")
        total += product * scale.to(tl.float32)[None, :]
    inside = (row[:, None] < rows) & (column[None, :] < outputs)
    target = partial + (split * rows + row[:, None]) * outputs + column[None, :]
    tl.store(target, total, mask=inside)


@triton.jit
def _dequantise_kernel(  # type: ignore[no-untyped-def]
    qweight, qzeros, scales, weight, inputs, outputs,
    GROUP: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """weight[k, n] = (q - z) · s, computed in float32."""
    k = tl.program_id(1) * BLOCK_K + tl.arange(0, BLOCK_K)
    column = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    word = tl.program_id(0) * (BLOCK_N // 8) + tl.arange(0, BLOCK_N // 8)
    words, group = outputs // 8, (tl.program_id(1) * BLOCK_K) // GROUP
    shifts = _shifts(column)[None, :]
    packed = tl.load(
        qweight + k[:, None] * words + word[None, :], mask=word[None, :] < words, other=0
    )
    zeros = tl.load(qzeros + group * words + word[None, :], mask=word[None, :] < words, other=0)
    scale = tl.load(scales + group * outputs + column, mask=column < outputs, other=0.0)
    centred = ((_spread(packed) >> shifts) & 15) - ((_spread(zeros) >> shifts) & 15)
    exact = centred.to(tl.float32) * scale.to(tl.float32)[None, :]
    target = weight + k[:, None].to(tl.int64) * outputs + column[None, :]
    tl.store(target, exact.to(weight.dtype.element_ty), mask=column[None, :] < outputs)


def matmul(x: Tensor, qweight: Tensor, qzeros: Tensor, scales: Tensor) -> Tensor:
    """(M, K) → (M, N) in x's dtype, accumulated in float32."""
    if len(x) <= FEW_ROWS:
        return multiply_packed(x, qweight, qzeros, scales)
    return x @ dequantise(qweight, qzeros, scales, x.dtype)


def multiply_packed(x: Tensor, qweight: Tensor, qzeros: Tensor, scales: Tensor) -> Tensor:
    """Multiply without a dequantised copy. Splits add up in a fixed order: always the same result."""
    (rows, inputs), outputs = x.shape, scales.shape[1]
    block_m = max(16, min(64, triton.next_power_of_2(rows)))
    across, down = triton.cdiv(outputs, BLOCK_N), triton.cdiv(rows, block_m)
    groups_per_split = triton.cdiv(inputs // GROUP, _splits(across * down, inputs // GROUP))
    splits = triton.cdiv(inputs // GROUP, groups_per_split)
    partial = torch.empty(splits, rows, outputs, device=x.device, dtype=torch.float32)
    _matmul_kernel[(across, splits, down)](
        x.contiguous(), qweight, qzeros, scales, partial,
        rows, inputs, outputs, groups_per_split * GROUP,
        GROUP=GROUP, BLOCK_M=block_m, BLOCK_N=BLOCK_N, BLOCK_K=BLOCK_K,
    )  # fmt: skip
    return partial.sum(0).to(x.dtype) if splits > 1 else partial[0].to(x.dtype)


def dequantise(qweight: Tensor, qzeros: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the weight (K, N)."""
    inputs, outputs = qweight.shape[0], qweight.shape[1] * PACK
    weight = torch.empty(inputs, outputs, device=qweight.device, dtype=dtype)
    _dequantise_kernel[(triton.cdiv(outputs, BLOCK_N), inputs // BLOCK_K)](
        qweight, qzeros, scales, weight, inputs, outputs,
        GROUP=GROUP, BLOCK_K=BLOCK_K, BLOCK_N=BLOCK_N,
    )  # fmt: skip
    return weight


def _splits(programs: int, groups: int) -> int:
    """How many parts of the inputs give every multiprocessor something to do."""
    return max(1, min(MAX_SPLITS, groups, WANTED_PROGRAMS // programs))
