"""Text on screen: a picture in, lines out. Knows nothing of time but the lines read before.

Reading a line costs more than finding it, so a line whose place and pixels are as before is not
read again.
"""

import base64
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rapidocr
from numpy.typing import NDArray
from omegaconf import DictConfig, flag_override
from PIL import Image
from rapidocr import RapidOCR
from rapidocr.ch_ppocr_det import TextDetOutput
from rapidocr.ch_ppocr_rec import TextRecOutput

from worker.builtin.networks import open_network
from worker.builtin.views import Box
from worker.commentator import Picture

LONGEST_SIDE = 960  # pixels: the finder sees no larger picture
SHORTEST_SIDE = 32  # and no smaller one
LOWEST_SCORE = 0.85  # of a line; below it letters are guessed
FEWEST_LETTERS = 3  # letters or digits in a line worth quoting
MOST_LINES = 12  # the largest ones of a picture; the others are left out
WIDEST_LINE = 24  # width over height: a longer line is read up to there
PRINT_SIZE = (40, 4)  # columns, rows of a line's fingerprint
SAME_PRINT = 14  # 0 … 255: a cell that differs by more may be another digit
LIKE_PRINT = 0.8  # correlation from which a line may still stand where it was
SAME_PLACE = 0.6  # overlap (intersection over union)


@dataclass(frozen=True, slots=True)
class TextLine:
    text: str  # empty if it can't be read for sure
    box: Box
    print: str  # base64 of grey levels: what its pixels look like


class TextReader:
    """Finds and reads lines of text. One instance serves any number of threads."""

    def __init__(self) -> None:
        models = Path(rapidocr.__file__).parent / "models"
        common = {
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.min_side_len": 1,
            "Det.limit_type": "max",
            "Det.limit_side_len": LONGEST_SIDE,
        }
        self._finder = RapidOCR(params=common | {"Global.use_rec": False})
        _give(self._finder.cfg.Det, models / "PP-OCRv6_det_small.onnx")
        self._reader = RapidOCR(params=common | {"Global.use_det": False})
        _give(self._reader.cfg.Rec, models / "PP-OCRv6_rec_small.onnx")

    def read(self, picture: Picture, known: Sequence[TextLine]) -> list[TextLine]:
        """Return the lines of the picture, the largest first."""
        if min(picture.shape[:2]) < SHORTEST_SIDE:
            return []
        found = self._finder(np.ascontiguousarray(picture[..., ::-1]))
        if not isinstance(found, TextDetOutput) or found.boxes is None:
            return []
        quads = sorted(
            np.asarray(found.boxes, np.float32), key=lambda q: (-_area(q), q[0][1], q[0][0])
        )
        return [self._read_line(picture, quad, known) for quad in quads[:MOST_LINES]]

    def _read_line(
        self, picture: Picture, quad: NDArray[np.float32], known: Sequence[TextLine]
    ) -> TextLine:
        box = _box(quad, picture)
        mark = fingerprint(picture, box)
        for line in known:
            if line.box.overlap(box) >= SAME_PLACE and is_same_print(line.print, mark):
                return TextLine(line.text, box, mark)
        result = self._reader(np.ascontiguousarray(_cut_out(picture, quad)[..., ::-1]))
        text = ""
        if isinstance(result, TextRecOutput) and result.txts and result.scores:
            text = _readable(result.txts[0], result.scores[0])
        return TextLine(text, box, mark)


def _give(part: DictConfig, weights: Path) -> None:
    """Hand RapidOCR an open network: it would open its own otherwise, or fetch one."""
    with flag_override(part, "allow_objects", True):
        part.session = open_network(weights)


def _readable(text: str, score: float) -> str:
    """Return the text as one clean line, or nothing if it is not worth quoting."""
    shown = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text)
    shown = " ".join(shown.split())
    letters = sum(c.isalnum() for c in shown)
    return shown if score >= LOWEST_SCORE and letters >= FEWEST_LETTERS else ""


def _cut_out(picture: Picture, quad: NDArray[np.float32]) -> Picture:
    """Straighten the quadrilateral (4 corners, clockwise from the top left) to a rectangle."""
    width = max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]))
    height = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))
    size = (
        max(1, min(round(float(width)), round(float(height) * WIDEST_LINE))),
        max(1, round(float(height))),
    )
    share = size[0] / max(1.0, float(width))
    corners = quad.copy()
    corners[1] = quad[0] + (quad[1] - quad[0]) * min(1.0, share)
    corners[2] = quad[3] + (quad[2] - quad[3]) * min(1.0, share)
    target = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    flat = cv2.warpPerspective(
        picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(flat, np.uint8)


def _area(quad: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(quad[0] - quad[1]) * np.linalg.norm(quad[0] - quad[3]))


def _box(quad: NDArray[np.float32], picture: Picture) -> Box:
    height, width = picture.shape[:2]
    (left, top), (right, bottom) = quad.min(0), quad.max(0)
    sides = (left / width, top / height, right / width, bottom / height)
    return Box(*(round(min(1.0, max(0.0, float(side))), 4) for side in sides))


def fingerprint(picture: Picture, box: Box) -> str:
    """Return what the pixels within the box look like."""
    height, width = picture.shape[:2]
    edges = (box.left * width, box.top * height, box.right * width, box.bottom * height)
    left, top, right, bottom = (round(edge) for edge in edges)
    part = picture[top : max(top + 1, bottom), left : max(left + 1, right)]
    small = Image.fromarray(part).convert("L").resize(PRINT_SIZE, Image.Resampling.BOX)
    return base64.b64encode(small.tobytes()).decode()


def is_same_print(a: str, b: str) -> bool:
    """Tell whether two fingerprints surely show the same line."""
    return int(np.abs(_levels(a) - _levels(b)).max()) <= SAME_PRINT


def is_like_print(a: str, b: str) -> bool:
    """Tell whether two fingerprints may show the same line in different light."""
    one, other = (levels - levels.mean() for levels in (_levels(a), _levels(b)))
    spread = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return spread > 0 and float((one * other).sum()) / spread >= LIKE_PRINT


def _levels(mark: str) -> NDArray[np.int64]:
    return np.frombuffer(base64.b64decode(mark), np.uint8).astype(np.int64)
