"""AWQ weights laid out for our Triton kernels. Plain torch; packed once, after loading.

A tile is what one output sees of one group: 16 words of int32 (64 bytes). Nibble j of word c is
the number of input 16j + c of the group, so the j-th nibbles of a tile meet 16 neighbouring inputs,
and every thread unpacks what it multiplies. The tiles of a group stand together: (G, N, 16).
What a group shares is one int32 per output (G, N): the bits of the float16 scale, above the zero.
"""

import torch
from torch import Tensor

from worker.minicpm.awq import GROUP, PACK, unpack

WORDS = GROUP // PACK  # of a tile
GROUPS_AT_ONCE = 4  # unpacked numbers take eight times the room


def tile(qweight: Tensor, qzeros: Tensor, scales: Tensor) -> dict[str, Tensor]:
    """AWQ's (K, N/8), (K/128, N/8), (K/128, N) → `tiles` (K/128, N, 16), `shared` (K/128, N)."""
    groups, outputs = scales.shape
    tiles = torch.empty(groups, outputs, WORDS, dtype=torch.int32, device=qweight.device)
    for first in range(0, groups, GROUPS_AT_ONCE):
        span = slice(first, min(first + GROUPS_AT_ONCE, groups))
        numbers = unpack(qweight[span.start * GROUP : span.stop * GROUP])
        planes = numbers.unflatten(0, (-1, PACK, WORDS))  # (g, 8, 16, N)
        words = torch.zeros_like(planes[:, 0])
        for nibble in range(PACK):
            words |= planes[:, nibble] << (4 * nibble)
        tiles[span] = words.transpose(1, 2)
    bits = scales.to(torch.float16).contiguous().view(torch.int16).to(torch.int32)
    return {"tiles": tiles, "shared": (bits << 16) | unpack(qzeros)}


def untile(tiles: Tensor, shared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the numbers (K, N) and zeros (K/128, N), int32, and the scales, float16."""
    shifts = torch.arange(0, 4 * PACK, 4, dtype=torch.int32, device=tiles.device)
    planes = (tiles.unsqueeze(1) >> shifts[:, None, None]) & 15  # (G, 8, N, 16)
    numbers = planes.transpose(2, 3).flatten(0, 2)
    scales = (shared >> 16).to(torch.int16).view(torch.float16)
    return numbers, shared & 15, scales
