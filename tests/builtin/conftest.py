"""The networks load once for all tests of the built-in commentator; pictures are drawn or decoded."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from worker.builtin import open_builtin
from worker.commentator import Commentator, Frame, Picture, Window

SAMPLE = Path(__file__).parents[2] / "samples" / "bikes.mp4"


@pytest.fixture(scope="session")
def builtin() -> Commentator:
    return open_builtin(threads=2)


def window(pictures: Sequence[Picture], index: int = 0) -> Window:
    """Put one picture at each second of a 4-second window."""
    start = Fraction(index * 4)
    frames = (Frame(i, start + i, picture) for i, picture in enumerate(pictures))
    return Window(index, start, start + 4, tuple(frames))


def plain(colour: tuple[int, int, int], width: int = 640, height: int = 360) -> Picture:
    return np.full((height, width, 3), colour, np.uint8)


def written(*lines: str, size: int = 32) -> Picture:
    """Draw black lines of text on a light grey picture."""
    image = Image.new("RGB", (960, 540), (235, 235, 235))
    font = ImageFont.load_default(size)
    for row, line in enumerate(lines):
        ImageDraw.Draw(image).text((60, 80 + row * 90), line, fill=(10, 10, 10), font=font)
    return np.asarray(image)


def noise(seed: int, width: int = 640, height: int = 360) -> Picture:
    """Draw large random blotches: a picture that has nothing in common with another seed's."""
    blotches = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return np.asarray(Image.fromarray(blotches).resize((width, height), Image.Resampling.BICUBIC))


def pictures_at(path: Path, seconds: Sequence[float]) -> list[Picture]:
    """Decode the first picture at or after each time; the clip must start at 0 and be sound."""
    found: list[Picture] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if len(found) < len(seconds) and (frame.time or 0) >= seconds[len(found)]:
                found.append(frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False))
    return found


@pytest.fixture(scope="session")
def cyclist() -> Picture:
    """Return a picture of the sample clip: a man on a bicycle behind a van."""
    return pictures_at(SAMPLE, [5.0])[0]
