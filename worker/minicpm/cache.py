"""Keys and values of the windows being written, one slot each, all allocated at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.minicpm.config import LanguageConfig
from worker.minicpm.rotary import rotary_table


class KVCache:
    """`keys[layer]` and `values[layer]` are (slots, kv heads, room, head_dim).

    A slot's positions beyond its length hold whatever was there before: readers pass over them.
    `both` is the two of them, (2, layers, …). `cos` and `sin` (room, head_dim) are the angles of a
    slot's positions.
    """

    def __init__(
        self,
        config: LanguageConfig,
        slots: int,
        room: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.room = room
        shape = (2, config.layers, slots, config.kv_heads, room, config.head_dim)
        self.both = torch.zeros(shape, device=device, dtype=dtype)
        self.keys, self.values = self.both
        self.cos, self.sin = (table.to(device) for table in rotary_table(config, room))


@dataclass(frozen=True, slots=True)
class Pieces:
    """Runs of prompt tokens, packed one behind the other, and where each belongs in a cache.

    Piece r is the tokens starts[r] … starts[r + 1] - 1 and stands in slot slots[r] from position
    before[r] on; what is before it is in the cache already. Pieces that only fill up a graph
    are empty and come last; tokens behind the last piece belong to none. All int64, on the device.
    """

    slots: Tensor  # (R,)
    starts: Tensor  # (R + 1,)
    before: Tensor  # (R,)
    token_slots: Tensor  # (T,) the slot of each token
    positions: Tensor  # (T,) its position there
    longest: int  # tokens that the longest piece may have

    @property
    def ends(self) -> Tensor:
        """Index of the last token of each piece; of an empty one, of the piece before. (R,)"""
        return self.starts[1:] - 1


def cache_bytes(config: LanguageConfig, slots: int, room: int, dtype: torch.dtype) -> int:
    """Memory that such a cache takes, in bytes."""
    per_token = 2 * config.layers * config.kv_heads * config.head_dim * dtype.itemsize
    return per_token * slots * room
