"""The resampler: the patch vectors of a view, however many → 64 vectors of the decoder's width."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worker.minicpm.vision import NORM_EPS, Grid, Remembered


@lru_cache(maxsize=64)
def axis_waves(cells: int, width: int) -> Tensor:
    """Sines, then cosines, of each cell's index at width/2 frequencies. (cells, width) float32."""
    half = width // 2
    omega = 1 / 10000 ** (torch.arange(half, dtype=torch.float32) / half)
    angles = torch.arange(cells, dtype=torch.float32)[:, None] * omega
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def grid_waves(grid: Grid, width: int, device: torch.device) -> Tensor:
    """Where each patch is: its column's waves, then its row's. (L, width) float32."""
    rows, columns = grid
    across = axis_waves(columns, width // 2).to(device).expand(rows, -1, -1)
    down = axis_waves(rows, width // 2).to(device)[:, None].expand(-1, columns, -1)
    return torch.cat([across, down], dim=-1).flatten(0, 1)


class ResamplerAttention(nn.Module):
    """Named as in the checkpoint: queries, keys and values stacked in one weight."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def project_queries(self, q: Tensor) -> Tensor:  # (Q, D) → (heads, Q, D/heads)
        return self._project(q, 0)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Projected queries; keys and values (B, L, D) yet to be projected → (B, Q, D)."""
        k, v = self._project(k, 1), self._project(v, 2)
        mixed = F.scaled_dot_product_attention(q.expand(len(k), -1, -1, -1), k, v)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(-2))
        return out

    def _project(self, x: Tensor, part: int) -> Tensor:  # (…, N, D) → (…, heads, N, D/heads)
        weight, bias = self.in_proj_weight.chunk(3)[part], self.in_proj_bias.chunk(3)[part]
        return F.linear(x, weight, bias).unflatten(-1, (self.heads, -1)).transpose(-3, -2)


class Resampler(nn.Module):
    """(B, L, vision width) of views with the same grid → (B, queries, width)"""

    def __init__(self, queries: int, width: int, heads: int, vision_width: int) -> None:
        super().__init__()
        self.width = width
        self.query = nn.Parameter(torch.empty(queries, width))
        self.kv_proj = nn.Linear(vision_width, width, bias=False)
        self.attn = ResamplerAttention(width, heads)
        self.ln_q = nn.LayerNorm(width, eps=NORM_EPS)
        self.ln_kv = nn.LayerNorm(width, eps=NORM_EPS)
        self.ln_post = nn.LayerNorm(width, eps=NORM_EPS)
        self.proj = nn.Parameter(torch.empty(width, width))
        self._queries, self._places = Remembered(), Remembered()

    def forward(self, patches: Tensor, grid: Grid) -> Tensor:
        values: Tensor = self.ln_kv(self.kv_proj(patches))
        keys = values + self._place(grid)  # the values carry no place
        mixed: Tensor = self.attn(self._query(), keys, values)
        out: Tensor = self.ln_post(mixed) @ self.proj
        return out

    def remembered(self, grid: Grid) -> list[Tensor]:
        """The tensors that it reads and may forget later."""
        return [self._query(), self._place(grid)]

    def _place(self, grid: Grid) -> Tensor:  # (L, D)
        like = self.query
        return self._places.get(
            grid, [like], lambda: grid_waves(grid, self.width, like.device).to(like.dtype)
        )

    def _query(self) -> Tensor:  # (heads, Q, D/heads)
        weights = [self.query, *self.ln_q.parameters(), *self.attn.parameters()]
        return self._queries.get(
            None, weights, lambda: self.attn.project_queries(self.ln_q(self.query))
        )
