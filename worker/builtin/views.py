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
MOVED_SHARE = 0.006  # of the picture: less is noise
WHOLE_SHARE = 0.6  # of the picture: more is the camera, or everything
NEW_VIEW_LIKENESS = 0.5  # correlation under which two pictures have nothing in common
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
    if Light.BLACK in (before.light, after.light):
        return before.light != after.light
    a, b = before.coarse.mean(-1).ravel(), after.coarse.mean(-1).ravel()
    if float(np.abs(before.coarse - after.coarse).mean()) < NEW_VIEW_LEVEL:
        return False
    spread = float(a.std() * b.std())
    likeness = float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 1 else 0.0
    return likeness < NEW_VIEW_LIKENESS


def changed(before: Grid, after: Grid) -> NDArray[np.bool_]:
    """Return which cells of two grids differ by more than the light of the whole does."""
    difference = after - before
    difference = difference - np.median(difference, axis=(0, 1))
    result: NDArray[np.bool_] = np.abs(difference).max(-1) > MOVED_LEVEL
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

    @property
    def whole(self) -> bool:
        return self.share >= WHOLE_SHARE


STILL = Motion()


def motion(cells: NDArray[np.bool_]) -> Motion:
    share = float(cells.mean())
    if share < MOVED_SHARE:
        return STILL
    thirds = np.array_split(cells, 3, axis=1)
    most = max(float(third.mean()) for third in thirds)
    places = tuple(p for p, t in zip(Place, thirds, strict=True) if float(t.mean()) >= most / 4)
    return Motion(places, share)


def split_views(looks: Sequence[Look]) -> list[slice]:
    """Cut a window's pictures into runs of one view each."""
    starts = [0] + [i for i in range(1, len(looks)) if is_new_view(looks[i - 1], looks[i])]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(looks)], strict=True)]
