"""The vision tower: patches of equally sized views → one vector per patch.

Views of other sizes are another call, so nothing is ever padded or masked. Knows no pictures.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worker.minicpm.config import VisionConfig

NORM_EPS = 1e-6
Grid = tuple[int, int]
"""Patches of a view: (rows, columns)."""


@lru_cache(maxsize=256)
def position_buckets(cells: int, positions: int) -> Tensor:
    """Map each of `cells` along a side to one of `positions` trained ones. (cells,) int64, CPU.

    Nearly floor(positions · i / cells), but the network was trained with what float32 makes of it,
    which at 25, 49, 50 … cells is one lower in places: so the same float32 steps are taken here.
    """
    boundaries = torch.arange(1 / positions, 1.0, 1 / positions)
    step = float(1 / torch.tensor(cells, dtype=torch.int32))  # a float32 value
    fractions = torch.arange(0, 1 - 1e-6, step)
    return torch.bucketize(fractions, boundaries, right=True)


class VisionAttention(nn.Module):
    """Every patch of a view sees every other."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv_proj = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:  # (B, L, D)
        qkv = self.qkv_proj(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, L, D/heads)
        mixed = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(-2))
        return out


class VisionMlp(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x), approximate="tanh"))
        return out


class VisionLayer(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)
        self.self_attn = VisionAttention(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)
        self.mlp = VisionMlp(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class VisionEmbeddings(nn.Module):
    """Patch vectors and where they are."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.positions = config.positions
        self.patch_embedding = nn.Conv2d(
            3, config.hidden_size, kernel_size=config.patch_size, stride=config.patch_size
        )
        self.position_embedding = nn.Embedding(config.positions**2, config.hidden_size)

    def forward(self, patches: Tensor, grid: Grid) -> Tensor:  # (B, L, 3·P·P)
        weight = self.patch_embedding.weight.flatten(1)  # the convolution never overlaps
        x = F.linear(patches, weight, self.patch_embedding.bias)
        place: Tensor = self.position_embedding(self._places(grid).to(x.device))
        return x + place

    def _places(self, grid: Grid) -> Tensor:  # (L,)
        rows, columns = (position_buckets(side, self.positions) for side in grid)
        return (rows[:, None] * self.positions + columns).flatten()


class VisionEncoder(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(VisionLayer(config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class VisionTower(nn.Module):
    """(B, L, 3·P·P) patches of views with the same grid → (B, L, D)"""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.embeddings = VisionEmbeddings(config)
        self.encoder = VisionEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)

    def forward(self, patches: Tensor, grid: Grid) -> Tensor:
        out: Tensor = self.post_layernorm(self.encoder(self.embeddings(patches, grid)))
        return out
