"""Text drawn as burned-in subtitles: white letters in dark boxes at the bottom of a picture.

Fonts are opened before the process is confined, so what will be drawn must be known by then.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

OWN_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
MOST_FONTS = 3000  # files that are looked at
LETTER_HEIGHT = 1 / 20  # of the picture's height, or of its width where that is less than 4/3 of it
WIDEST = 0.94  # of the picture's width
BOTTOM = 0.05  # of the picture's height
SMALLEST = 8  # pixels
_BOX = 0.72  # how dark
_UNASSIGNED = "\U000eeeee"
_TEST_SIZE = 20

Font = ImageFont.FreeTypeFont


@dataclass(frozen=True, slots=True)
class Lettering:
    """A patch to be laid over a picture, and where."""

    left: int
    top: int
    shade: NDArray[np.uint16]  # (H, W, 1): 256ths of the picture that are kept
    light: NDArray[np.uint16]  # (H, W, 1): what is added to each colour

    def drawn(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a copy of an RGB picture with the patch over it."""
        height, width = self.shade.shape[:2]
        copy = picture.copy()
        patch = copy[self.top : self.top + height, self.left : self.left + width]
        patch[:] = (patch * self.shade >> 8) + self.light
        return copy


class Fonts:
    """Our font, and what fonts of the machine have the letters that it lacks."""

    def __init__(self, texts: Iterable[str]) -> None:
        wanted = {letter for text in texts for letter in text if _is_drawn(letter)}
        self._paths: list[tuple[Path, frozenset[str]]] = []
        for path in _candidates():
            if not wanted and self._paths:
                break
            has = _letters_of(path, wanted)
            if has or not self._paths:
                self._paths.append((path, frozenset(has)))
                wanted -= has
        self.missing = wanted
        self._contents = [(path.read_bytes(), has) for path, has in self._paths]
        self._opened: dict[tuple[int, int], Font] = {}

    def font_for(self, text: str, size: int) -> Font:
        """Return the font that has most of the text's letters."""
        return self._open(max(range(len(self._contents)), key=lambda n: self._count(n, text)), size)

    def _count(self, number: int, text: str) -> tuple[int, int]:
        """Our own font has many letters that nobody looked for: its count is one of those it has."""
        _, has = self._contents[number]
        return sum(letter in has for letter in text), -number

    def _open(self, number: int, size: int) -> Font:
        key = (number, size)
        if key not in self._opened:
            self._opened[key] = ImageFont.truetype(BytesIO(self._contents[number][0]), size)
        return self._opened[key]


def letter(lines: Sequence[str], fonts: Fonts, width: int, height: int) -> Lettering:
    """Draw one or two lines for a picture of this size; they grow smaller until they fit its width."""
    size = max(round(min(height, width * 3 / 4) * LETTER_HEIGHT), SMALLEST)
    while True:
        chosen = [fonts.font_for(line, size) for line in lines]
        lengths = [font.getlength(line) for font, line in zip(chosen, lines, strict=True)]
        if max(lengths) + size <= width * WIDEST or size <= SMALLEST:
            break
        size -= 1
    pitch, edge = round(size * 1.45), size // 2
    patch = (min(round(max(lengths)) + 2 * edge, width), min(pitch * len(lines), height))
    boxes, letters = Image.new("L", patch), Image.new("L", patch)
    for number, (line, font, length) in enumerate(zip(lines, chosen, lengths, strict=True)):
        left, top = (patch[0] - length) / 2, number * pitch
        ImageDraw.Draw(boxes).rectangle(
            (left - edge, top, left + length + edge, top + pitch - 1), fill=round(255 * _BOX)
        )
        ImageDraw.Draw(letters).text(
            (left, top + pitch * 0.74), line, fill=255, font=font, anchor="ls"
        )
    ink = np.asarray(letters, dtype=np.uint16)[..., None]
    box = np.asarray(boxes, dtype=np.uint16)[..., None]
    return Lettering(
        left=(width - patch[0]) // 2,
        top=max(height - patch[1] - round(height * BOTTOM), 0),
        shade=(255 - box) * (255 - ink) // 255,
        light=ink,
    )


def _is_drawn(letter: str) -> bool:
    return unicodedata.category(letter)[0] not in "CZ" and unicodedata.category(letter) != "Mn"


def _candidates() -> Iterator[Path]:
    yield OWN_FONT
    seen = 0
    for root in FONT_FOLDERS:
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                if name.lower().endswith((".ttf", ".otf", ".ttc")):
                    yield Path(folder, name)
                    seen += 1
                    if seen == MOST_FONTS:
                        return


def _letters_of(path: Path, wanted: set[str]) -> set[str]:
    """Return those of the wanted letters that a font has: it draws them unlike what it can't have."""
    try:
        font = ImageFont.truetype(str(path), _TEST_SIZE, layout_engine=ImageFont.Layout.BASIC)
        nothing = _drawn(font, _UNASSIGNED)
        return {letter for letter in wanted if _drawn(font, letter) != nothing}
    except OSError:  # a font of pictures only, or none at all
        return set()


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
