"""Keys and values of the windows being written, one slot each, all allocated at once."""

import torch
from torch import Tensor

from worker.minicpm.config import LanguageConfig
from worker.minicpm.rotary import rotary_table


class KVCache:
    """`keys[layer]` and `values[layer]` are (slots, kv heads, room, head_dim).

    A slot's positions beyond its length hold whatever was there before: readers mask them.
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

    def fill(self, layer: int, slots: Tensor, keys: Tensor, values: Tensor) -> None:
        """Start `slots` (B,) with keys and values (B, kv heads, L, head_dim)."""
        length = keys.shape[2]
        self.keys[layer, slots, :, :length] = keys
        self.values[layer, slots, :, :length] = values

    def append(self, layer: int, lengths: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put (B, kv heads, head_dim) at position `lengths` (B,) of the slots 0 … B-1."""
        rows = torch.arange(len(lengths), device=lengths.device)
        self.keys[layer][rows, :, lengths] = keys
        self.values[layer][rows, :, lengths] = values


def cache_bytes(config: LanguageConfig, slots: int, room: int, dtype: torch.dtype) -> int:
    """Memory that such a cache takes, in bytes."""
    per_token = 2 * config.layers * config.kv_heads * config.head_dim * dtype.itemsize
    return per_token * slots * room
