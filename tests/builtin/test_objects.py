"""The detector on real pictures."""

from pathlib import Path

import numpy as np

from tests.builtin.conftest import noise, pictures_at, plain
from worker.builtin.objects import ObjectDetector
from worker.commentator import Picture


def test_it_finds_the_cyclist_where_he_is(cyclist: Picture) -> None:
    best = ObjectDetector().detect(cyclist)[0]
    assert best.name == "person"
    assert best.score > 0.7
    assert 0.5 < best.box.left < 0.66 < best.box.right < 0.8


def test_it_finds_three_bottles(media: Path) -> None:
    picture = pictures_at(media / "bottles.mp4", [0.0])[0]
    bottles = [d.box for d in ObjectDetector().detect(picture) if d.name == "bottle"]
    assert [round((box.left + box.right) / 2, 1) for box in sorted(bottles)] == [0.1, 0.5, 0.8]


def test_nothing_is_found_in_pictures_without_objects() -> None:
    detector = ObjectDetector()
    for picture in (plain((0, 0, 0)), plain((200, 30, 30)), noise(4), plain((9, 9, 9), 1, 1)):
        assert [d for d in detector.detect(picture) if d.score >= 0.5] == []


def test_boxes_lie_within_the_picture_whatever_its_shape(cyclist: Picture) -> None:
    tall = np.ascontiguousarray(np.rot90(cyclist))
    for picture in (cyclist, tall, cyclist[:, 300:500]):
        for detection in ObjectDetector().detect(np.ascontiguousarray(picture)):
            assert 0 <= detection.box.left <= detection.box.right <= 1
            assert 0 <= detection.box.top <= detection.box.bottom <= 1
