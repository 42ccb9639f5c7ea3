"""Attention over a slot cache, for prompts and for single steps, and among the patches of views.

On a GPU with Triton by our own kernels, elsewhere by torch: the same results but for rounding.
One layer's `keys` and `values` are (slots, kv heads, room, D), contiguous; what stands behind a
slot's length is rubbish and never looked at. All work in one dtype; scores, maxima and sums are
float32. On a GPU nothing waits for the device, so that steps can be captured as CUDA graphs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.minicpm.triton_support import runs_triton


def attend_step(q: Tensor, keys: Tensor, values: Tensor, slots: Tensor, lengths: Tensor) -> Tensor:
    """Mix for one new query (B, H, D) per row → (B, H · D).

    Row b sees the positions 0 … lengths[b]-1, at least one, of slot slots[b]; its own key is there.
    On a GPU its bits depend on nothing else: neither on other rows, nor on their number, nor on
    the cache's room.
    """
    if runs_triton(q.device):
        from worker.minicpm import attention_triton

        return attention_triton.attend_step(q, keys, values, slots, lengths)
    return attend_step_torch(q, keys, values, slots, lengths)


def attend_step_torch(
    q: Tensor, keys: Tensor, values: Tensor, slots: Tensor, lengths: Tensor
) -> Tensor:
    span = keys.shape[2] if q.is_cuda else int(lengths.max())  # a GPU would have to be waited for
    seen = (torch.arange(span, device=q.device) < lengths[:, None])[:, None]  # (B, 1, span)
    k, v = (table[slots, :, :span].where(seen[..., None], 0) for table in (keys, values))
    grouped = q.unflatten(1, (k.shape[1], -1))  # queries of one kv head stand in for positions
    mixed = F.scaled_dot_product_attention(grouped, k, v, attn_mask=seen[:, None])
    return mixed.flatten(1)


def attend_prompts(
    q: Tensor, keys: Tensor, values: Tensor, slots: Tensor, starts: Tensor, before: Tensor,
    longest: int,
) -> Tensor:  # fmt: skip
    """Mix for the packed queries (T, H, D) of R pieces of prompts → (T, H · D).

    Row r's queries are q[starts[r]:starts[r + 1]], if any; query i of them stands at position
    before[r] + i of slot slots[r] and sees everything up to itself. The piece's own keys and values,
    and what is before them, are in the cache. `starts` is (R + 1,); no piece is longer than
    `longest`. For queries behind the last piece the result is rubbish.
    On a GPU a query's bits don't depend on how its prompt was cut into pieces.
    """
    if runs_triton(q.device):
        from worker.minicpm import attention_triton

        return attention_triton.attend_prompts(q, keys, values, slots, starts, before, longest)
    return attend_prompts_torch(q, keys, values, slots, starts, before, longest)


def attend_prompts_torch(
    q: Tensor, keys: Tensor, values: Tensor, slots: Tensor, starts: Tensor, before: Tensor,
    longest: int,
) -> Tensor:  # fmt: skip
    """Row by row. Waits for the device."""
    ends, out = starts.tolist(), torch.empty_like(q)
    for row, (slot, past) in enumerate(zip(slots.tolist(), before.tolist(), strict=True)):
        piece = slice(ends[row], ends[row + 1])
        if piece.start == piece.stop:
            continue
        span = past + ends[row + 1] - ends[row]
        own = q[piece].transpose(0, 1)[None]  # (1, H, n, D)
        k, v = keys[None, slot, :, :span], values[None, slot, :, :span]
        if past:
            seen = torch.ones(own.shape[2], span, dtype=torch.bool, device=q.device).tril(past)
            mixed = F.scaled_dot_product_attention(own, k, v, attn_mask=seen, enable_gqa=True)
        else:
            mixed = F.scaled_dot_product_attention(own, k, v, is_causal=True, enable_gqa=True)
        out[piece] = mixed[0].transpose(0, 1)
    return out.flatten(1)


def attend_views(qkv: Tensor) -> Tensor:
    """Mix among the patches of each view: (B, L, 3, H, D) → (B, L, H · D)."""
    if runs_triton(qkv.device):
        from worker.minicpm import attention_triton

        return attention_triton.attend_views(qkv)
    return attend_views_torch(qkv)


def attend_views_torch(qkv: Tensor) -> Tensor:
    q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, L, D)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2)
