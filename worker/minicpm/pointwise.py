"""What is done number by number between the matrix products, each in one pass over memory.

On a GPU with Triton by our own kernels, elsewhere by torch. All compute in float32 at least and
round once at the end; a residual sum is rounded to the compute dtype before it is normalised.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.minicpm.rotary import rotate
from worker.minicpm.triton_support import runs_triton


def add_rms_norm(
    x: Tensor, update: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """(T, W) → x + update, and that normalised by its root mean square."""
    if runs_triton(x.device):
        from worker.minicpm import pointwise_triton

        return pointwise_triton.add_rms_norm(x, update, weight, eps)
    total = x if update is None else x + update
    return total, F.rms_norm(total, weight.shape, weight, eps)


def add_layer_norm(
    x: Tensor, update: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """(…, W) → x + update, and that normalised by its mean and variance."""
    if runs_triton(x.device):
        from worker.minicpm import pointwise_triton

        return pointwise_triton.add_layer_norm(x, update, weight, bias, eps)
    total = x if update is None else x + update
    return total, F.layer_norm(total, weight.shape, weight, bias, eps)


def silu_mul(gate_up: Tensor) -> Tensor:
    """(T, 2F) → silu(gate) · up, (T, F)."""
    if runs_triton(gate_up.device):
        from worker.minicpm import pointwise_triton

        return pointwise_triton.silu_mul(gate_up)
    exact = torch.promote_types(gate_up.dtype, torch.float32)
    gate, up = gate_up.to(exact).chunk(2, dim=-1)
    return (F.silu(gate) * up).to(gate_up.dtype)


def rotate_and_store(
    qkv: Tensor, q_weight: Tensor, k_weight: Tensor, eps: float, cos: Tensor, sin: Tensor,
    positions: Tensor, slots: Tensor, keys: Tensor, values: Tensor,
) -> Tensor:  # fmt: skip
    """Split qkv (T, (H + 2G) · D), normalise and turn queries and keys, put keys and values away.

    Token t stands at position positions[t] of slot slots[t]: keys and values go there in one
    layer's cache (slots, G, room, D). `cos` and `sin` are (room, D) float32, halves alike. Queries
    and keys are rounded once when normalised and once when turned. Returns the queries (T, H, D).
    """
    if runs_triton(qkv.device):
        from worker.minicpm import pointwise_triton

        return pointwise_triton.rotate_and_store(
            qkv, q_weight, k_weight, eps, cos, sin, positions, slots, keys, values
        )
    kv_heads, d = keys.shape[1], keys.shape[3]
    heads = qkv.unflatten(-1, (-1, d))
    q, k, v = heads.split((heads.shape[1] - 2 * kv_heads, kv_heads, kv_heads), dim=1)
    cos, sin = cos[positions][:, None], sin[positions][:, None]  # (T, 1, D)
    keys[slots, :, positions] = rotate(F.rms_norm(k, k_weight.shape, k_weight, eps), cos, sin)
    values[slots, :, positions] = v
    return rotate(F.rms_norm(q, q_weight.shape, q_weight, eps), cos, sin)
