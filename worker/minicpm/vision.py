"""The vision tower: patches of equally sized views → one vector per patch.

Views of other sizes are another call, so nothing is ever padded or masked. Knows no pictures.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worker.minicpm.attention import attend_views
from worker.minicpm.config import VisionConfig
from worker.minicpm.pointwise import add_layer_norm

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


class Remembered:
    """Tensors that depend on a grid and on weights only; the latest few are kept.

    Weights that were moved, replaced or written to since are other weights. A CUDA graph reads such
    tensors where they lay when it was captured: its owner must hold them as well.
    """

    LIMIT = 8  # of the resampler's, each takes some 8 MB

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Tensor] = {}

    def get(
        self, grid: Grid | None, weights: Sequence[Tensor], make: Callable[[], Tensor]
    ) -> Tensor:
        key = (grid, *(self._stamp(weight) for weight in weights))
        found = self._kept.pop(key, None)
        self._kept[key] = make() if found is None else found  # the last in the dict is the latest
        if len(self._kept) > self.LIMIT:
            del self._kept[next(iter(self._kept))]
        return self._kept[key]

    def _stamp(self, weight: Tensor) -> tuple[object, ...]:
        version = 0 if weight.is_inference() else weight._version  # those can't be told apart
        return weight.device, weight.dtype, weight.data_ptr(), version


def linear_gelu(x: Tensor, linear: nn.Linear) -> Tensor:
    """GELU, in its tanh form, of linear(x).

    On CUDA in half precision inside the product, before anything is rounded. The same call means
    another form, erf's, on the CPU.
    """
    if x.is_cuda and x.dtype.itemsize == 2:
        rows = x.flatten(0, -2)
        out = torch._addmm_activation(linear.bias, rows, linear.weight.t(), use_gelu=True)
        return out.unflatten(0, x.shape[:-1])
    return F.gelu(linear(x), approximate="tanh")


class VisionAttention(nn.Module):
    """Every patch of a view sees every other."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv_proj = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:  # (B, L, D)
        qkv = self.qkv_proj(x).unflatten(-1, (3, self.heads, -1))
        out: Tensor = self.out_proj(attend_views(qkv))
        return out


class VisionMlp(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(linear_gelu(x, self.fc1))
        return out


def add_norm(x: Tensor, update: Tensor | None, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """Return x + update, and that normalised."""
    return add_layer_norm(x, update, norm.weight, norm.bias, norm.eps)


class VisionLayer(nn.Module):
    """The residual stream x and what is still to be added to it → the same, one layer on."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)
        self.self_attn = VisionAttention(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)
        self.mlp = VisionMlp(config)

    def forward(self, x: Tensor, update: Tensor | None) -> tuple[Tensor, Tensor]:
        x, normed = add_norm(x, update, self.layer_norm1)
        x, normed = add_norm(x, self.self_attn(normed), self.layer_norm2)
        return x, self.mlp(normed)


class VisionEmbeddings(nn.Module):
    """Patch vectors and where they are."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.positions = config.positions
        self.patch_embedding = nn.Conv2d(
            3, config.hidden_size, kernel_size=config.patch_size, stride=config.patch_size
        )
        self.position_embedding = nn.Embedding(config.positions**2, config.hidden_size)
        self._places = Remembered()

    def forward(self, patches: Tensor, grid: Grid) -> Tensor:  # (B, L, 3·P·P)
        weight = self.patch_embedding.weight.flatten(1)  # the convolution never overlaps
        x = F.linear(patches, weight, self.patch_embedding.bias)
        return x + self.place(grid)

    def place(self, grid: Grid) -> Tensor:  # (L, D)
        table = self.position_embedding.weight
        return self._places.get(grid, [table], lambda: table[self._cells(grid).to(table.device)])

    def _cells(self, grid: Grid) -> Tensor:  # (L,)
        rows, columns = (position_buckets(side, self.positions) for side in grid)
        return (rows[:, None] * self.positions + columns).flatten()


class VisionEncoder(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(VisionLayer(config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The residual stream and the last layer's update of it."""
        update = None
        for layer in self.layers:
            x, update = layer(x, update)
        return x, update


class VisionTower(nn.Module):
    """(B, L, 3·P·P) patches of views with the same grid → (B, L, D)"""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.embeddings = VisionEmbeddings(config)
        self.encoder = VisionEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=NORM_EPS)

    def forward(self, patches: Tensor, grid: Grid) -> Tensor:
        x, update = self.encoder(self.embeddings(patches, grid))
        return add_norm(x, update, self.post_layernorm)[1]

    def remembered(self, grid: Grid) -> list[Tensor]:
        """The tensors that it reads and may forget later."""
        return [self.embeddings.place(grid)]
