"""Objects: pictures in, COCO names with boxes out. Knows nothing of time.

The network is NanoDet-m at 416×416 (see nanodet/README.md for its origin and its tensors).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.builtin.coco import COCO_NAMES
from worker.builtin.networks import open_network
from worker.builtin.views import Box
from worker.commentator import Picture

WEIGHTS = Path(__file__).parent / "nanodet" / "nanodet_m_416_coco_fp16.onnx"
SIDE = 416  # pixels: the network's input is a square
STRIDES = (8, 16, 32)
BINS = 11  # a box side is the mean of a distribution over 0 … 10 strides
MEAN_BGR = np.array([103.53, 116.28, 123.675], np.float32)
STD_BGR = np.array([57.375, 57.12, 58.395], np.float32)
LOWEST_SCORE = 0.3  # below it nothing is worth a vote
OVERLAP = 0.5  # two boxes of a name that share more (intersection over union) are one object

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one picture."""

    name: str
    score: float  # 0 … 1
    box: Box


class ObjectDetector:
    """Finds COCO objects. One instance serves any number of threads."""

    def __init__(self) -> None:
        self._session = open_network(WEIGHTS)
        self._input = self._session.get_inputs()[0].name

    def detect(self, picture: Picture) -> list[Detection]:
        """Return the objects of one picture, best first."""
        tensor, scale = _to_tensor(picture)
        outputs = self._session.run(None, {self._input: tensor})
        sides, scores, names = _candidates(outputs)
        height, width = picture.shape[:2]
        extent = np.array([width, height, width, height], np.float32) * scale
        found = [
            Detection(COCO_NAMES[name], float(score), Box(*map(float, box)))
            for box, score, name in zip(np.clip(sides / extent, 0, 1), scores, names, strict=True)
        ]
        return _suppress(found)


def _to_tensor(picture: Picture) -> tuple[Floats, float]:
    """Scale to fit, put at the top left on black; returns (1, 3, SIDE, SIDE) and the scale."""
    height, width = picture.shape[:2]
    scale = SIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    canvas = np.zeros((SIDE, SIDE, 3), np.float32)
    canvas[: size[1], : size[0]] = small[..., ::-1]
    normal = (canvas - MEAN_BGR) / STD_BGR
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None]), scale


def _candidates(outputs: list[Floats]) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return boxes (N, 4) in input pixels, scores (N,) and class numbers (N,) above the lowest score."""
    boxes, scores, names = [], [], []
    for stride in STRIDES:
        cells = SIDE // stride
        score = next(o[0] for o in outputs if o.shape[1:] == (cells**2, len(COCO_NAMES)))
        bins = next(o[0] for o in outputs if o.shape[1:] == (cells**2, 4 * BINS))
        cell, name = np.nonzero(score >= LOWEST_SCORE)
        boxes.append(_boxes(bins[cell], cell, stride))
        scores.append(score[cell, name])
        names.append(name)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(names)


def _boxes(bins: Floats, cell: NDArray[np.intp], stride: int) -> Floats:
    """Turn distance distributions (N, 4·BINS) of the numbered cells into boxes (N, 4)."""
    power = np.exp(bins.reshape(-1, 4, BINS) - bins.reshape(-1, 4, BINS).max(-1, keepdims=True))
    distance = (power * np.arange(BINS)).sum(-1) / power.sum(-1) * stride
    row, column = np.divmod(cell, SIDE // stride)
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    sides = (x - distance[:, 0], y - distance[:, 1], x + distance[:, 2], y + distance[:, 3])
    return np.stack(sides, axis=1).astype(np.float32)


def _suppress(found: list[Detection]) -> list[Detection]:
    """Keep the best of overlapping boxes of one name; best first."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda detection: -detection.score):
        if all(one.name != k.name or one.box.overlap(k.box) <= OVERLAP for k in kept):
            kept.append(one)
    return kept
