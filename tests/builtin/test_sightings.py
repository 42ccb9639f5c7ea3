"""Votes over detections that are written down."""

from collections.abc import Sequence

import numpy as np
import pytest

from worker.builtin.objects import Detection
from worker.builtin.sightings import sight
from worker.builtin.views import FINE, Box

A = Box(0.1, 0.3, 0.25, 0.8)
B = Box(0.4, 0.3, 0.55, 0.8)
SMALL = Box(0.4, 0.3, 0.5, 0.4)
SAME = np.zeros(FINE[::-1], np.bool_)
OTHER = np.ones(FINE[::-1], np.bool_)


def found(name: str, score: float, box: Box = A) -> Detection:
    return Detection(name, score, box)


def counts(
    *pictures: Sequence[Detection],
    before: Sequence[tuple[str, Box]] = (),
    moved: bool = True,
) -> dict[str, tuple[int, ...]]:
    changes = [OTHER if moved else SAME] * len(pictures)
    return {s.name: s.counts for s in sight(pictures, changes, before)}


@pytest.mark.parametrize(
    ("name", "scores", "believed"),
    [
        ("cup", (0.5, 0.5, 0.0), True),
        ("cup", (0.55, 0.0, 0.0), False),
        ("cup", (0.6, 0.0, 0.0), True),
        ("person", (0.45, 0.45, 0.0), True),
        ("bird", (0.6, 0.6, 0.6), False),  # a leaf
        ("tennis racket", (0.56, 0.55, 0.5), False),  # letter blocks
        ("horse", (0.7, 0.7, 0.0), True),
    ],
)
def test_a_name_needs_two_good_pictures_or_a_very_good_one(
    name: str, scores: tuple[float, ...], believed: bool
) -> None:
    assert (name in counts(*([found(name, score)] for score in scores))) is believed


def test_small_things_need_more() -> None:
    assert counts([found("cup", 0.6, SMALL)], [found("cup", 0.6, SMALL)]) == {}
    assert counts([found("cup", 0.7, SMALL)], [found("cup", 0.7, SMALL)]) == {"cup": (1, 1)}


def test_two_names_for_one_thing_are_none_unless_one_leads() -> None:
    even = [found("cup", 0.7), found("bowl", 0.65)]
    assert counts(even, even) == {}
    clear = [found("cup", 0.7), found("bowl", 0.5)]
    assert counts(clear, clear) == {"cup": (1, 1)}


def test_further_things_of_a_believed_name_count_at_less() -> None:
    two = [found("bottle", 0.6, A), found("bottle", 0.42, B)]
    assert counts(two, two) == {"bottle": (2, 2)}


def test_two_hands_are_not_two_people() -> None:
    hands = [found("person", 0.66, A), found("person", 0.48, B)]
    assert counts(hands, hands) == {"person": (1, 1)}
    people = [found("person", 0.66, A), found("person", 0.52, B)]
    assert counts(people, people) == {"person": (2, 2)}


def test_what_was_seen_stays_until_the_pixels_change() -> None:
    before = [("bottle", A)]
    assert counts([], [], before=before, moved=False) == {"bottle": (1, 1)}
    assert counts([], [], before=before, moved=True) == {"bottle": (0, 0)}


def test_one_picture_alone_does_not_lower_a_count() -> None:
    two, one = [found("cup", 0.7, A), found("cup", 0.7, B)], [found("cup", 0.7, A)]
    assert counts(two, one, two) == {"cup": (2, 2, 2)}
    assert counts(two, two, one) == {"cup": (2, 2, 2)}
    assert counts(two, one, one) == {"cup": (2, 1, 1)}


def test_leaving_in_the_last_picture_is_believed_of_what_two_have_shown() -> None:
    cup = [found("cup", 0.7)]
    assert counts(cup, cup, []) == {"cup": (1, 1, 0)}
    assert counts(cup, []) == {"cup": (1, 1)}
