"""Pictures → views: the overview of a picture and, if it is large, slices of it. CPU, by PIL.

Sizes are (width, height) in pixels, as PIL has them; grids are (rows, columns) of patches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from math import ceil, log, sqrt
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from worker.minicpm.config import PictureConfig

Picture = NDArray[np.uint8]
"""(height, width, 3): upright, red green blue."""
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class View:
    """What the tower looks at once."""

    pixels: Picture  # sides are multiples of the patch size
    patch_size: int
    digest: bytes  # of the pixels and their shape: equal views are looked at once

    @property
    def grid(self) -> tuple[int, int]:
        height, width, _ = self.pixels.shape
        return height // self.patch_size, width // self.patch_size

    def pinned(self) -> Self:
        """Return the same in memory that a GPU can read by itself."""
        pixels = torch.empty(self.pixels.shape, dtype=torch.uint8, pin_memory=True).numpy()
        pixels[...] = self.pixels
        return replace(self, pixels=pixels)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture of a given size is shown."""

    overview: Size
    columns: int  # of slices; 0 if there are none
    rows: int
    slice_size: Size  # (0, 0) if there are none

    @property
    def views(self) -> int:
        return 1 + self.columns * self.rows


def plan_layout(size: Size, max_slices: int, config: PictureConfig) -> Layout:
    """Decide how a picture is shown with at most `max_slices` slices."""
    width, height = size
    split = _best_split(width, height, max_slices, config.resolution)
    if split is None:
        return Layout(_fit(width, height, config), 0, 0, (0, 0))
    columns, rows = split
    part = _multiple(width, columns) / columns, _multiple(height, rows) / rows
    slice_size = _fit(*part, config)
    return Layout(_fit(width, height, config), columns, rows, slice_size)


def cut_views(picture: Picture, layout: Layout, config: PictureConfig) -> list[View]:
    """Resize and cut a picture: its overview, then its slices row by row."""
    height, width, _ = picture.shape
    if (width, height) == layout.overview and not layout.columns:  # as a decoder should deliver it
        return [_view(np.ascontiguousarray(picture), config)]
    image = Image.fromarray(picture)
    views = [_view(np.array(_resize(image, layout.overview)), config)]
    if layout.columns:
        width, height = layout.slice_size
        large = _resize(image, (width * layout.columns, height * layout.rows))
        for top in range(0, large.height, height):
            for left in range(0, large.width, width):
                part = large.crop((left, top, left + width, top + height))
                views.append(_view(np.array(part), config))
    return views


def to_patches(
    views: Sequence[View], device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Normalise views of one size to -1 … 1 and cut them. (B, L, 3·P·P)

    A patch lists its values by channel, then row, then column.
    """
    patch = views[0].patch_size
    rows, columns = views[0].grid
    shape = (len(views), rows, patch, columns, patch, 3)
    pixels = torch.empty((len(views), *views[0].pixels.shape), dtype=torch.uint8, device=device)
    for row, view in zip(pixels, views, strict=True):
        source = view.pixels if view.pixels.flags.writeable else view.pixels.copy()  # PyTorch warns
        row.copy_(torch.from_numpy(source), non_blocking=True)
    cells = pixels.view(shape).permute(0, 1, 3, 5, 2, 4).reshape(-1).int()
    values = _normalised(device, dtype).index_select(0, cells)
    return values.view(len(views), rows * columns, -1)


@cache
def _normalised(device: torch.device, dtype: torch.dtype) -> Tensor:
    """What each of the 256 pixel values becomes; worked out on the CPU, as a GPU divides otherwise."""
    exact = (torch.arange(256).float() / 255 - 0.5) / 0.5
    return exact.to(dtype).to(device)


def _best_split(width: int, height: int, max_slices: int, resolution: int) -> Size | None:
    """Choose (columns, rows) whose slices are nearest to the picture's shape; None: no slices."""
    wanted = min(ceil(width * height / resolution**2), max_slices)
    if wanted <= 1:
        return None
    counts = [n for n in (wanted - 1, wanted, wanted + 1) if 1 < n <= max_slices]
    splits = [(c, n // c) for n in counts for c in range(1, n + 1) if n % c == 0]
    return min(splits, key=lambda s: abs(log(width / height) - log(s[0] / s[1])))


def _fit(width: float, height: float, config: PictureConfig) -> Size:
    """Keep the shape, make about resolution² pixels of it, in whole patches."""
    shape = width / height
    fitted = int(config.resolution / sqrt(shape))
    return _multiple(int(fitted * shape), config.patch_size), _multiple(fitted, config.patch_size)


def _multiple(length: float, unit: int) -> int:
    """The nearest multiple, at least one; of two as near the even one, as Python rounds."""
    return max(round(length / unit) * unit, unit)


def _resize(image: Image.Image, size: Size) -> Image.Image:
    return image.resize(size, Image.Resampling.BICUBIC)


def _view(pixels: Picture, config: PictureConfig) -> View:
    digest = sha256(repr(pixels.shape).encode())
    digest.update(pixels.data)
    return View(pixels, config.patch_size, digest.digest())
