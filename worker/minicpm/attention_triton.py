"""Attention on a GPU: our Triton kernels. Importable only where Triton is.

All keep float32 scores, maxima and sums, and take keys in blocks that begin at position 0 whatever
stands beside a row: its bits depend on nothing but its own query, keys and values. Heads are 16, 32,
64, 128 … numbers long, the views' heads any multiple of 8; the query heads of a kv head are a power
of two, at most 16.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

PIECE = 128  # positions of a row that one program of `attend_step` reads
STEP_BLOCK = 64  # of them at once
STEP_WARPS, STEP_STAGES = 4, 2
HEAD_ROWS = 16  # least rows of a matrix product; a kv head has fewer queries
JOINED = 8  # pieces added up at once

PROMPT_ROWS = 128  # queries × heads of a program
PROMPT_BLOCK = 128  # keys at once
PROMPT_WARPS, PROMPT_STAGES = 8, 2

VIEW_ROWS = 128
VIEW_BLOCK = 64
VIEW_WARPS, VIEW_STAGES = 8, 3

LOG2_E = 1.4426950408889634


@triton.jit
def _absorb(score, scale, top, total):  # type: ignore[no-untyped-def]
    """Softmax so far (top, total) and new scores (M, N) → weights, factor of the old, top, total."""
    higher = tl.maximum(top, tl.max(score, 1) * scale)
    weight = tl.exp2(score * scale - higher[:, None])
    fade = tl.exp2(top - higher)
    return weight, fade, higher, total * fade + tl.sum(weight, 1)


@triton.jit
def _step_kernel(  # type: ignore[no-untyped-def]
    q, keys, values, slots, lengths, parts, tops, totals,
    room, scale,
    GROUP: tl.constexpr, D: tl.constexpr, PIECE: tl.constexpr, BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
):  # fmt: skip
    """Mix one piece of one row's positions for the queries of one kv head."""
    row, kv_head, piece = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    kv_heads, pieces = tl.num_programs(1), tl.num_programs(2)
    length = tl.load(lengths + row).to(tl.int32)
    first = piece * PIECE
    if first >= length:
        return
    m, d = tl.arange(0, ROWS), tl.arange(0, D)
    head = (row * kv_heads + kv_head) * GROUP + m
    query = tl.load(q + head[:, None] * D + d[None, :], mask=m[:, None] < GROUP, other=0.0)
    base = (tl.load(slots + row).to(tl.int64) * kv_heads + kv_head) * room * D
    keys, values = keys + base, values + base
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    mixed = tl.zeros([ROWS, D], tl.float32)
    last = tl.minimum(first + PIECE, length)
    for start in range(first, last, BLOCK):
        position = start + tl.arange(0, BLOCK)
        place = position[:, None] * D + d[None, :]
        inside = position < last
        key = tl.load(keys + place, mask=inside[:, None], other=0.0)
        value = tl.load(values + place, mask=inside[:, None], other=0.0)
        score = tl.dot(query, tl.trans(key), input_precision="ieee")
        score = tl.where(inside[None, :], score, float("-inf"))
        weight, fade, top, total = _absorb(score, scale, top, total)
        mixed = tl.dot(weight.to(value.dtype), value, mixed * fade[:, None], input_precision="ieee")
    part = head * pieces + piece
    tl.store(tops + part, top, mask=m < GROUP)
    tl.store(totals + part, total, mask=m < GROUP)
    tl.store(parts + part[:, None] * D + d[None, :], mixed, mask=m[:, None] < GROUP)


@triton.jit
def _join_kernel(  # type: ignore[no-untyped-def]
    parts, tops, totals, lengths, out, heads, pieces,
    D: tl.constexpr, PIECE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add up one head's pieces, always in the same order."""
    head = tl.program_id(0)
    count = tl.cdiv(tl.load(lengths + head // heads).to(tl.int32), PIECE)
    d = tl.arange(0, D)
    highest = tl.max(tl.full([BLOCK], float("-inf"), tl.float32), 0)
    for start in range(0, count, BLOCK):
        piece = start + tl.arange(0, BLOCK)
        top = tl.load(tops + head * pieces + piece, mask=piece < count, other=float("-inf"))
        highest = tl.maximum(highest, tl.max(top, 0))
    total = tl.sum(tl.zeros([BLOCK], tl.float32), 0)
    mixed = tl.zeros([D], tl.float32)
    for start in range(0, count, BLOCK):
        piece = start + tl.arange(0, BLOCK)
        part, there = head * pieces + piece, piece < count
        share = tl.exp2(tl.load(tops + part, mask=there, other=float("-inf")) - highest)
        total += tl.sum(share * tl.load(totals + part, mask=there, other=0.0), 0)
        values = tl.load(parts + part[:, None] * D + d[None, :], mask=there[:, None], other=0.0)
        mixed += tl.sum(share[:, None] * values, 0)
    tl.store(out + head * D + d, (mixed / total).to(out.dtype.element_ty))


@triton.jit
def _prompts_kernel(  # type: ignore[no-untyped-def]
    q, keys, values, slots, starts, before, out,
    room, scale,
    GROUP: tl.constexpr, D: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Mix for ROWS / GROUP queries, with all heads of one kv head, of one row's piece."""
    QUERIES: tl.constexpr = ROWS // GROUP
    tile = tl.num_programs(0) - 1 - tl.program_id(0)  # the longest first
    kv_head, kv_heads, row = tl.program_id(1), tl.num_programs(1), tl.program_id(2)
    start = tl.load(starts + row)
    count = (tl.load(starts + row + 1) - start).to(tl.int32)
    first = tile * QUERIES
    if first >= count:
        return
    past = tl.load(before + row).to(tl.int32)
    m, d, n = tl.arange(0, ROWS), tl.arange(0, D), tl.arange(0, BLOCK)
    index = first + m // GROUP
    head = ((start + index) * kv_heads + kv_head) * GROUP + m % GROUP
    places = head[:, None] * D + d[None, :]
    there = index[:, None] < count
    query = tl.load(q + places, mask=there, other=0.0)
    base = (tl.load(slots + row).to(tl.int64) * kv_heads + kv_head) * room * D
    keys, values = keys + base, values + base
    cells = n[:, None] * D + d[None, :]
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    mixed = tl.zeros([ROWS, D], tl.float32)
    whole = (past + first + 1) // BLOCK * BLOCK  # every query sees all before it
    for position in range(0, whole, BLOCK):
        key = tl.load(keys + cells + position * D)
        value = tl.load(values + cells + position * D)
        score = tl.dot(query, tl.trans(key), input_precision="ieee")
        weight, fade, top, total = _absorb(score, scale, top, total)
        mixed = tl.dot(weight.to(value.dtype), value, mixed * fade[:, None], input_precision="ieee")
    last = past + tl.minimum(first + QUERIES, count)
    for position in range(whole, last, BLOCK):
        inside = (position + n < last)[:, None]
        key = tl.load(keys + cells + position * D, mask=inside, other=0.0)
        value = tl.load(values + cells + position * D, mask=inside, other=0.0)
        score = tl.dot(query, tl.trans(key), input_precision="ieee")
        seen = (position + n)[None, :] <= (past + index)[:, None]
        score = tl.where(seen, score, float("-inf"))
        weight, fade, top, total = _absorb(score, scale, top, total)
        mixed = tl.dot(weight.to(value.dtype), value, mixed * fade[:, None], input_precision="ieee")
    mixed = mixed / total[:, None]
    tl.store(out + places, mixed.to(out.dtype.element_ty), mask=there)


@triton.jit
def _load_heads(rows, c, t, there, MAIN: tl.constexpr, D: tl.constexpr):  # type: ignore[no-untyped-def]
    """The heads that begin at `rows` (N, 1), in two parts: (N, MAIN), and the rest with zeros."""
    more = there & (MAIN + t < D)[None, :]
    main = tl.load(rows + c[None, :], mask=there, other=0.0)
    return main, tl.load(rows + MAIN + t[None, :], mask=more, other=0.0)


@triton.jit
def _mix_views(  # type: ignore[no-untyped-def]
    query, query_more, rows, c, t, there, width, scale, mixed, mixed_more, top, total,
    MAIN: tl.constexpr, D: tl.constexpr, ALL: tl.constexpr,
):  # fmt: skip
    """Go on with the keys and values that begin at `rows` (N, 1), if not ALL those `there` (N, 1)."""
    key, key_more = _load_heads(rows, c, t, there, MAIN, D)
    value, value_more = _load_heads(rows + width, c, t, there, MAIN, D)
    score = tl.dot(query, tl.trans(key), input_precision="ieee")
    score = tl.dot(query_more, tl.trans(key_more), score, input_precision="ieee")
    if not ALL:
        score = tl.where(tl.trans(there), score, float("-inf"))
    weight, fade, top, total = _absorb(score, scale, top, total)
    weight = weight.to(value.dtype)
    mixed = tl.dot(weight, value, mixed * fade[:, None], input_precision="ieee")
    mixed_more = tl.dot(weight, value_more, mixed_more * fade[:, None], input_precision="ieee")
    return mixed, mixed_more, top, total


@triton.jit
def _views_kernel(  # type: ignore[no-untyped-def]
    qkv, out, length, scale,
    D: tl.constexpr, MAIN: tl.constexpr, TAIL: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr, REST: tl.constexpr,
):  # fmt: skip
    """Mix for ROWS patches of one view and head. A head is MAIN numbers and up to TAIL more.

    REST keys, some of them perhaps beyond the view, follow the whole blocks.
    """
    head, heads, view = tl.program_id(1), tl.num_programs(1), tl.program_id(2).to(tl.int64)
    width = heads * D
    m, n = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, BLOCK)
    c, t = tl.arange(0, MAIN), tl.arange(0, TAIL)
    there = m[:, None] < length
    patches = qkv + (view * length * 3 * width + head * D)
    query, query_more = _load_heads(patches + m[:, None] * (3 * width), c, t, there, MAIN, D)
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    mixed = tl.zeros([ROWS, MAIN], tl.float32)
    mixed_more = tl.zeros([ROWS, TAIL], tl.float32)
    whole = length // BLOCK * BLOCK
    every = tl.full([BLOCK, 1], True, tl.int1)
    for start in range(0, whole, BLOCK):
        rows = patches + width + (start + n)[:, None] * (3 * width)
        mixed, mixed_more, top, total = _mix_views(
            query, query_more, rows, c, t, every, width, scale, mixed, mixed_more, top, total,
            MAIN, D, True,
        )  # fmt: skip
    for start in range(whole, length, REST):  # a loop, as its products would stall the one above
        r = start + tl.arange(0, REST)[:, None]
        rows = patches + width + r * (3 * width)
        mixed, mixed_more, top, total = _mix_views(
            query, query_more, rows, c, t, r < length, width, scale, mixed, mixed_more, top, total,
            MAIN, D, False,
        )  # fmt: skip
    target = out + (view * length * width + head * D) + m[:, None] * width
    mixed = (mixed / total[:, None]).to(out.dtype.element_ty)
    mixed_more = (mixed_more / total[:, None]).to(out.dtype.element_ty)
    tl.store(target + c[None, :], mixed, mask=there)
    tl.store(target + MAIN + t[None, :], mixed_more, mask=there & (MAIN + t < D)[None, :])


def attend_step(q: Tensor, keys: Tensor, values: Tensor, slots: Tensor, lengths: Tensor) -> Tensor:
    """See `attention.attend_step`."""
    (rows, heads, d), (_, kv_heads, room, _) = q.shape, keys.shape
    pieces = triton.cdiv(room, PIECE)
    exact = torch.float32
    parts = torch.empty(rows, heads, pieces, d, device=q.device, dtype=exact)
    tops, totals = torch.empty(2, rows, heads, pieces, device=q.device, dtype=exact)
    out = torch.empty(rows, heads * d, device=q.device, dtype=q.dtype)
    _step_kernel[(rows, kv_heads, pieces)](
        q.contiguous(), keys, values, slots, lengths, parts, tops, totals,
        room, LOG2_E / d**0.5,
        GROUP=heads // kv_heads, D=d, PIECE=PIECE, BLOCK=_keys_at_once(q, STEP_BLOCK),
        ROWS=HEAD_ROWS, num_warps=STEP_WARPS, num_stages=STEP_STAGES,
    )  # fmt: skip
    _join_kernel[(rows * heads,)](
        parts, tops, totals, lengths, out, heads, pieces,
        D=d, PIECE=PIECE, BLOCK=JOINED, num_warps=1,
    )  # fmt: skip
    return out


def attend_prompts(
    q: Tensor, keys: Tensor, values: Tensor, slots: Tensor, starts: Tensor, before: Tensor,
    longest: int,
) -> Tensor:  # fmt: skip
    """See `attention.attend_prompts`."""
    (tokens, heads, d), (_, kv_heads, room, _) = q.shape, keys.shape
    out = torch.empty(tokens, heads * d, device=q.device, dtype=q.dtype)
    rows = PROMPT_ROWS if q.dtype.itemsize == 2 else HEAD_ROWS
    tiles = triton.cdiv(longest, rows // (heads // kv_heads))
    _prompts_kernel[(tiles, kv_heads, len(slots))](
        q.contiguous(), keys, values, slots, starts, before, out,
        room, LOG2_E / d**0.5,
        GROUP=heads // kv_heads, D=d, ROWS=rows, BLOCK=_keys_at_once(q, PROMPT_BLOCK),
        num_warps=PROMPT_WARPS, num_stages=PROMPT_STAGES,
    )  # fmt: skip
    return out


def attend_views(qkv: Tensor) -> Tensor:
    """See `attention.attend_views`."""
    views, length, _, heads, d = qkv.shape
    out = torch.empty(views, length, heads * d, device=qkv.device, dtype=qkv.dtype)
    rows = VIEW_ROWS if qkv.dtype.itemsize == 2 else HEAD_ROWS
    block = _keys_at_once(qkv, VIEW_BLOCK)
    main = triton.next_power_of_2(d + 1) // 2  # the largest within d
    rest = min(32, _padded(length % block))  # with 64 the registers suffice for half the programs
    _views_kernel[(triton.cdiv(length, rows), heads, views)](
        qkv.contiguous(), out, length, LOG2_E / d**0.5,
        D=d, MAIN=main, TAIL=_padded(d - main),
        ROWS=rows, BLOCK=block, REST=rest,
        num_warps=VIEW_WARPS, num_stages=VIEW_STAGES,
    )  # fmt: skip
    return out


def _keys_at_once(q: Tensor, block: int) -> int:
    """Exact float32 products have no tensor cores: they get small blocks."""
    return block if q.dtype.itemsize == 2 else 32


def _padded(count: int) -> int:
    """A length that matrix products take."""
    return max(16, triton.next_power_of_2(count))
