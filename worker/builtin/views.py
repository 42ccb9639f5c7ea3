"""Light, motion and changes of view: what pictures tell before anything is recognised in them.

Pictures are compared as small grids of mean colours, so noise and compression don't count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.commentator import Picture

FINE = (64, 36)  # columns, rows: pictures of one window are compared on this grid
COARSE = (16, 9)  # and windows with each other on this one: it is stored
BLACK_LEVEL = 28  # 0 … 255: video black is 0 or 16, plus some noise
DARK_LEVEL = 40  # mean brightness of a picture in which little can be made out
PLAIN_SPREAD = 2.5  # standard deviation of a picture of one colour
TINY = 16  # pixels: a shorter side shows nothing that could be named
MOVED_LEVEL = 18  # 0 … 255: a cell that differs by more has changed
SAME_LEVEL = 9  # 0 … 255: no cell differs by more in what is the same picture for any eye
MOVED_NEIGHBOURS = 6  # of the 9 cells around: a lone cell is a leaf in the wind, or noise
MOVED_SHARE = 0.005  # of the picture: less is noise
MOVED_SHARE_COARSE = 0.02
LARGE_SHARE = 0.2  # of the picture: more may be one large thing, or the camera
WHOLE_SHARE = 0.5  # of the picture: nearly everything
LIGHT_STEP = 30  # 0 … 255: a change of the mean brightness that is worth a word
NEW_VIEW_LIKENESS = 0.6  # correlation under which two pictures have little in common
NEW_VIEW_SHARE = 0.75  # of the coarse cells: a hand before the lens changes fewer
NEW_VIEW_LEVEL = 16  # mean difference that a new view has at least

Grid = NDArray[np.float32]


class Light(StrEnum):
    NORMAL = "normal"
    DARK = "dark"
    BLACK = "black"
    PLAIN = "plain"  # one colour all over
    TINY = "tiny"  # too few pixels


class Place(StrEnum):
    LEFT = "left"
    MIDDLE = "middle"
    RIGHT = "right"


class Box(NamedTuple):
    """A rectangle in fractions of the picture's width and height."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    @property
    def place(self) -> Place:
        return list(Place)[min(2, int((self.left + self.right) / 2 * 3))]

    def overlap(self, other: "Box") -> float:
        """Return intersection over union."""
        shared = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )
        if shared.left >= shared.right or shared.top >= shared.bottom:
            return 0.0
        return shared.area / (self.area + other.area - shared.area)


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of a picture to compare it with others."""

    light: Light
    fine: Grid  # (rows, columns, 3) mean colours 0 … 255
    coarse: Grid


def look(picture: Picture) -> Look:
    image = Image.fromarray(picture)
    fine = np.asarray(image.resize(FINE, Image.Resampling.BOX), np.float32)
    coarse = np.asarray(image.resize(COARSE, Image.Resampling.BOX), np.float32)
    return Look(_light(picture, fine), fine, coarse)


def _light(picture: Picture, fine: Grid) -> Light:
    if min(picture.shape[:2]) < TINY:
        return Light.TINY
    if float(np.mean(fine.max(-1) < BLACK_LEVEL)) >= 0.97 and fine.mean() < BLACK_LEVEL / 2:
        return Light.BLACK
    if float(fine.std(axis=(0, 1)).max()) < PLAIN_SPREAD:
        return Light.PLAIN
    return Light.DARK if fine.mean() < DARK_LEVEL else Light.NORMAL


def is_new_view(before: Look, after: Look) -> bool:
    """Tell a cut (or a camera that swings fast) from movement within a view."""
    lights = {before.light, after.light}
    if Light.BLACK in lights or Light.TINY in lights:
        return len(lights) > 1
    if float(np.abs(before.coarse - after.coarse).mean()) < NEW_VIEW_LEVEL:
        return False
    if Light.PLAIN in lights:
        return True
    share = float(changed(before.coarse, after.coarse).mean())
    return share >= NEW_VIEW_SHARE and _likeness(before, after) < NEW_VIEW_LIKENESS


def _likeness(before: Look, after: Look) -> float:
    """Return the correlation of two pictures' brightness."""
    a, b = before.coarse.mean(-1).ravel(), after.coarse.mean(-1).ravel()
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread else 0.0


def is_same(before: Look, after: Look) -> bool:
    """Tell whether nothing has changed but noise and the brightness of the whole."""
    return not changed(before.fine, after.fine, SAME_LEVEL).any()


def changed(before: Grid, after: Grid, level: float = MOVED_LEVEL) -> NDArray[np.bool_]:
    """Return which cells of two grids differ by more than the light of the whole does."""
    difference = after - before
    difference = difference - np.median(difference, axis=(0, 1))
    result: NDArray[np.bool_] = np.abs(difference).max(-1) > level
    return result


def share_within(cells: NDArray[np.bool_], box: Box) -> float:
    """Return the share of the box's cells that are set."""
    rows, columns = cells.shape
    part = cells[
        int(box.top * rows) : max(int(box.top * rows) + 1, round(box.bottom * rows)),
        int(box.left * columns) : max(int(box.left * columns) + 1, round(box.right * columns)),
    ]
    return float(part.mean()) if part.size else 0.0


@dataclass(frozen=True, slots=True)
class Motion:
    """Where two pictures of one view differ. No places: they don't."""

    places: tuple[Place, ...] = ()
    share: float = 0.0  # of the picture's area
    brighter: float = 0.0  # by so much, -255 … 255


STILL = Motion()


def motion(before: Grid, after: Grid) -> Motion:
    """Compare two pictures, both fine or both coarse."""
    cells = _without_specks(changed(before, after))
    brighter = float(after.mean() - before.mean())
    share = float(cells.mean())
    if share < (MOVED_SHARE if cells.shape == FINE[::-1] else MOVED_SHARE_COARSE):
        return Motion(brighter=brighter)
    thirds = np.array_split(cells, 3, axis=1)
    most = max(float(third.mean()) for third in thirds)
    places = tuple(p for p, t in zip(Place, thirds, strict=True) if float(t.mean()) >= most / 3)
    return Motion(places, share, brighter)


def _without_specks(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the fine cells most of whose neighbours have changed too; coarse ones are areas already."""
    if cells.shape == COARSE[::-1]:
        return cells
    rows, columns = cells.shape
    padded = np.pad(cells.astype(np.uint8), 1)
    around = sum(
        padded[y : y + rows, x : x + columns].astype(np.int16) for y in range(3) for x in range(3)
    )
    kept: NDArray[np.bool_] = cells & (around >= MOVED_NEIGHBOURS)
    return kept


def split_views(looks: Sequence[Look]) -> list[slice]:
    """Cut a window's pictures into runs of one view each."""
    starts = [0] + [i for i in range(1, len(looks)) if is_new_view(looks[i - 1], looks[i])]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(looks)], strict=True)]
