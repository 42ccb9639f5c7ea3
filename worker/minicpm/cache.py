"""Keys and values of the windows being written, one slot each, all allocated at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import torch
from torch import Tensor

from worker.minicpm.config import LanguageConfig
from worker.minicpm.rotary import rotary_table
from worker.minicpm.transfer import upload


class KVCache:
    """`keys[layer]` and `values[layer]` are (slots, kv heads, room, head_dim).

    A slot's positions beyond its length hold whatever was there before: readers pass over them.
    `cos` and `sin` (room, head_dim) are the angles of its positions.
    """

    def __init__(
        self,
        config: LanguageConfig,
        slots: int,
        room: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.slots, self.room = slots, room
        shape = (config.layers, slots, config.kv_heads, room, config.head_dim)
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.cos, self.sin = (table.to(device) for table in rotary_table(config, room))


@dataclass(frozen=True, slots=True)
class Pieces:
    """Runs of prompt tokens, packed one behind the other, and where each belongs in a cache.

    Piece r is the tokens starts[r] … starts[r + 1] - 1 and stands in slot slots[r] from position
    before[r] on; what is before it is in the cache already. All (…) int64, on the device.
    """

    slots: Tensor  # (R,)
    starts: Tensor  # (R + 1,)
    before: Tensor  # (R,)
    token_slots: Tensor  # (T,) the slot of each token
    positions: Tensor  # (T,) its position there
    longest: int  # tokens of the longest piece

    @classmethod
    def plan(
        cls,
        lengths: Sequence[int],
        slots: Sequence[int],
        before: Sequence[int],
        device: torch.device,
    ) -> Self:
        """Lay pieces of these lengths one behind the other."""
        counts = torch.tensor(lengths)
        starts = torch.tensor([0, *accumulate(lengths)])
        where, skipped = torch.tensor(slots), torch.tensor(before)
        inside = torch.arange(sum(lengths)) - starts[:-1].repeat_interleave(counts)
        positions = inside + skipped.repeat_interleave(counts)
        parts = (where, starts, skipped, where.repeat_interleave(counts), positions)
        a, b, c, d, e = upload(torch.cat(parts), device).split([len(part) for part in parts])
        return cls(a, b, c, d, e, max(lengths))

    @property
    def ends(self) -> Tensor:
        """Index of the last token of each piece. (R,)"""
        return self.starts[1:] - 1


def cache_bytes(config: LanguageConfig, slots: int, room: int, dtype: torch.dtype) -> int:
    """Memory that such a cache takes, in bytes."""
    per_token = 2 * config.layers * config.kv_heads * config.head_dim * dtype.itemsize
    return per_token * slots * room
