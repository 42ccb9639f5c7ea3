"""Long sums shared by several programs of a Triton kernel, and added up the same way each time.

Each program of a tile stores its part; whichever comes last adds all parts, first to last. Nothing
but the order of the parts enters a sum: a result has the same bits on every run.
Products on one device must follow each other (one stream at a time): they share the counters.
"""

from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

PROGRAMS = 396  # wanted: three for each of the 132 multiprocessors of an H100
TILE = 64  # outputs of a tile, where the programs are counted
COUNTERS = 1 << 14  # more than tiles are ever shared at once


def count_parts(outputs: int, steps: int) -> int:
    """How many programs share a tile's `steps`. Blind to the number of rows, so that a row's
    result does not depend on what stands beside it."""
    return max(1, min(steps // 2, round(PROGRAMS / triton.cdiv(outputs, TILE))))


@lru_cache(maxsize=16)
def counters(device: torch.device) -> Tensor:
    """One zero per tile; whoever counts a tile to its end sets it back to zero."""
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        raise RuntimeError("run a product once before the first one is captured in a graph")
    return torch.zeros(COUNTERS, dtype=torch.int32, device=device)


@triton.jit
def _add_rows(  # type: ignore[no-untyped-def]
    parts, first, row_start, rows, column, out, outputs,
    PARTS: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Add up and store CHUNK of the tile's rows, from its `first` on."""
    local = first + tl.arange(0, CHUNK)
    row = row_start + local
    place = local[None, :] * BLOCK_N + tl.arange(0, BLOCK_N)[:, None]
    wanted = (row < rows)[None, :]
    total = tl.zeros((BLOCK_N, CHUNK), dtype=tl.float32)
    for part in tl.static_range(PARTS):
        # not from the first-level cache: other multiprocessors wrote it
        total += tl.load(
            parts + part * (BLOCK_N * BLOCK_M) + place,
            mask=wanted, other=0.0, cache_modifier=".cg",
        )  # fmt: skip
    target = out + row[None, :].to(tl.int64) * outputs + column[:, None]
    tl.store(target, total.to(out.dtype.element_ty), mask=wanted & (column < outputs)[:, None])


@triton.jit
def add_parts(  # type: ignore[no-untyped-def]
    total, parts, counter, row_start, rows, column, out, outputs, part,
    PARTS: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """Store `total` (BLOCK_N, BLOCK_M) to out (rows, outputs): at once, or as one of PARTS.

    `parts` is the tile's own room (PARTS, BLOCK_N, BLOCK_M), `counter` its own counter.
    """
    CHUNK: tl.constexpr = 32 if BLOCK_M > 32 else BLOCK_M  # more would cost the sum its registers
    row = row_start + tl.arange(0, BLOCK_M)
    if PARTS == 1:
        target = out + row[None, :].to(tl.int64) * outputs + column[:, None]
        inside = (row < rows)[None, :] & (column < outputs)[:, None]
        tl.store(target, total.to(out.dtype.element_ty), mask=inside)
    else:
        # outputs side by side, whatever the tensor cores' order: 16 bytes at a time
        place = tl.arange(0, BLOCK_M)[None, :] * BLOCK_N + tl.arange(0, BLOCK_N)[:, None]
        wanted = (row < rows)[None, :]
        tl.store(parts + part * (BLOCK_N * BLOCK_M) + place, total, mask=wanted)
        tl.debug_barrier()  # every thread's stores come before the count
        arrived = tl.atomic_add(counter, 1, sem="acq_rel", scope="gpu")
        if arrived == PARTS - 1:
            for first in range(0, BLOCK_M, CHUNK):
                _add_rows(
                    parts, first, row_start, rows, column, out, outputs,
                    PARTS, BLOCK_N, BLOCK_M, CHUNK,
                )  # fmt: skip
            tl.store(counter, 0)
