"""Facts in, literal sentences out."""

import numpy as np
import pytest

from worker.builtin.facts import Facts, Memory, View
from worker.builtin.sentence import compose, is_same_text
from worker.builtin.sightings import Sighting
from worker.builtin.text import TextLine
from worker.builtin.views import COARSE, STILL, Box, Light, Motion, Place

LEFT = Motion((Place.LEFT,), 0.03)
RIGHT = Motion((Place.RIGHT,), 0.03)
MOST = Motion(tuple(Place), 0.7)
THREE_STILL = (STILL, STILL, STILL)
INSIDE = Box(0.4, 0.3, 0.6, 0.7)


def seen(name: str, *counts: int, box: Box = INSIDE) -> Sighting:
    return Sighting(name, counts, (box,), (box.place,), 0.8)


def line(text: str) -> TextLine:
    return TextLine(text, Box(0.1, 0.8, 0.9, 0.9), "")


def view(
    *sightings: Sighting, light: Light = Light.NORMAL, motions: tuple[Motion, ...] = THREE_STILL
) -> View:
    return View(light, sightings, motions)


def facts(
    *views: View,
    continues: bool = True,
    since: Motion = STILL,
    lines: tuple[TextLine, ...] = (),
    gone: tuple[str, ...] = (),
) -> Facts:
    return Facts(views, continues, since, lines, gone)


def memory(
    counts: dict[str, int] | None = None,
    motion: Motion = STILL,
    light: Light = Light.NORMAL,
    lines: tuple[TextLine, ...] = (),
) -> Memory:
    coarse = np.zeros((COARSE[1], COARSE[0], 3), np.float32)
    return Memory(light, counts or {}, (), motion, lines, coarse)


def said(now: Facts, before: Memory | None = None, most_words: int = 96) -> str | None:
    return compose(now, before, most_words)


@pytest.mark.parametrize(
    ("views", "sentence"),
    [
        ([view()], "No object recognised; nothing large moves."),
        ([view(motions=())], "No object recognised."),
        ([view(seen("bottle", 3, 3, 3, 3))], "At least 3 bottles; nothing large moves."),
        ([view(seen("person", 2, 2))], "At least 2 people; nothing large moves."),
        (
            [view(seen("person", 1, 1), seen("apple", 1, 1, box=Box(0.8, 0.4, 0.9, 0.6)))],
            "A person in the middle and an apple at the right; nothing large moves.",
        ),
        (
            [view(seen("person", 1, 1, box=Box(0.0, 0.0, 0.3, 0.9)))],
            "Part of a person at the left; nothing large moves.",
        ),
        ([view(seen("dog", 1, 1, 1, 0))], "A dog (then not seen); nothing large moves."),
        ([view(seen("dog", 0, 0, 1, 1))], "A dog (not at first); nothing large moves."),
        ([view(seen("dog", 0, 1, 1, 0))], "A dog (for a while); nothing large moves."),
        ([view(seen("cup", 2, 2, 1, 1))], "At least 2 cups (then one); nothing large moves."),
        (
            [view(motions=(LEFT, STILL))],
            "No object recognised; something moves at the left, then nothing large moves.",
        ),
        (
            [view(motions=(LEFT, RIGHT))],
            "No object recognised; something moves at the left and at the right.",
        ),
        ([view(motions=(MOST,))], "No object recognised; most of the picture changes."),
        (
            [view(motions=(Motion((), 0, 60.0),))],
            "No object recognised; the picture gets brighter.",
        ),
        ([view(light=Light.BLACK)], "The picture is black."),
        ([view(light=Light.PLAIN)], "The picture is plain, of one colour."),
        ([view(light=Light.TINY)], "The picture is too small to make anything out."),
        (
            [view(light=Light.DARK)],
            "The picture is very dark; no object recognised; nothing large moves.",
        ),
        (
            [view(light=Light.BLACK), view(seen("dog", 1))],
            "The picture is black; then a new view: a dog in the middle; nothing large moves.",
        ),
    ],
)
def test_what_is_said_of_a_first_window(views: list[View], sentence: str) -> None:
    assert said(facts(*views)) == sentence


@pytest.mark.parametrize(
    ("before", "sighting", "sentence"),
    [
        (0, seen("person", 1, 1), "A person appears in the middle."),
        (0, seen("bottle", 0, 2), "At least 2 bottles appear."),
        (3, seen("bottle", 3, 3), None),
        (3, seen("bottle", 2, 2), "Now at least 2 bottles (3 before)."),
        (3, seen("bottle", 1, 1), "Now at least 1 bottle (3 before)."),
        (2, seen("bottle", 2, 3), "Now at least 3 bottles (2 before)."),
        (3, seen("bottle", 2, 3), "Now at least 2 bottles (3 before), then at least 3."),
        (1, seen("dog", 0, 0), "No longer seen: dog."),
        (2, seen("person", 0), "No longer seen: people."),
        (1, seen("person", 0, 1), "No longer seen: person, then a person appears."),
        (0, seen("person", 1, 0), "A person appears, then not seen."),
        (0, seen("car", 1, 0, 2, 0), "Cars come and go, at least 2 cars at a time."),
    ],
)
def test_what_is_said_of_a_change(before: int, sighting: Sighting, sentence: str | None) -> None:
    known = memory({sighting.name: before} if before else {})
    assert said(facts(view(sighting)), known) == sentence


@pytest.mark.parametrize(
    ("before", "since", "motions", "sentence"),
    [
        (STILL, STILL, THREE_STILL, None),
        (STILL, STILL, (STILL, LEFT), "Something moves at the left."),
        (LEFT, LEFT, (LEFT, LEFT), None),
        (LEFT, LEFT, (LEFT, RIGHT), "Something moves at the left and at the right."),
        (LEFT, LEFT, (LEFT, STILL), "Something moves at the left, then nothing large moves."),
        (LEFT, STILL, THREE_STILL, "Nothing large moves any more."),
        (
            LEFT,
            LEFT,
            (STILL, LEFT),
            "Nothing large moves at first, then something moves at the left.",
        ),
        (LEFT, LEFT, (MOST,), "Most of the picture changes."),
        (LEFT, LEFT, (Motion((Place.LEFT,), 0.15),), "Something moves at the left."),
        (STILL, RIGHT, THREE_STILL, "The picture has changed at the right."),
        (
            Motion((Place.LEFT,), 0.06),
            STILL,
            (Motion((Place.LEFT,), 0.06),),
            "Nothing large moves at first, then something moves at the left.",
        ),
        (STILL, STILL, (Motion(tuple(Place), 0.1),), "Something moves all across the picture."),
        (STILL, STILL, (Motion((), 0, -50.0), STILL), "The picture gets darker."),
    ],
)
def test_what_is_said_of_movement(
    before: Motion, since: Motion, motions: tuple[Motion, ...], sentence: str | None
) -> None:
    now = facts(view(motions=motions), since=since)
    assert said(now, memory(motion=before)) == sentence


def test_a_black_picture_is_told_once() -> None:
    black = view(light=Light.BLACK)
    assert said(facts(black), memory(light=Light.BLACK)) is None


def test_darkness_is_told_when_it_comes() -> None:
    dark = view(light=Light.DARK)
    assert said(facts(dark), memory()) == "The picture is very dark now."
    assert said(facts(dark), memory(light=Light.DARK)) is None


def test_a_new_view_is_described_anew() -> None:
    now = facts(view(seen("bottle", 3, 3)), continues=False)
    assert (
        said(now, memory({"bottle": 3})) == "A new view: at least 3 bottles; nothing large moves."
    )


def test_a_window_that_goes_on_before_it_cuts_says_so() -> None:
    now = facts(view(), view(light=Light.BLACK))
    assert said(now, memory()) == "No change at first; then the picture is black."


def test_text_is_quoted_once() -> None:
    now = facts(view(motions=()), lines=(line("Now open"), line("Copyright 2013 B. Castellano")))
    assert said(now) == (
        "No object recognised; text on screen: “Now open”, “Copyright 2013 B. Castellano”."
    )
    known = memory(lines=(line("Copyright 2O13 B. Castelano"),))  # a reader's slips
    assert said(now, known) == "New text on screen: “Now open”."


def test_text_that_has_gone_is_told() -> None:
    now = facts(view(), gone=("Now open",))
    assert said(now, memory(lines=(line("Now open"),))) == "Text no longer on screen: “Now open”."


def test_no_more_than_three_lines_and_no_long_ones_are_quoted() -> None:
    lines = tuple(line(text) for text in ("a" * 200, "one two", "red green", "up down"))
    sentence = said(facts(view(motions=()), lines=lines))
    assert sentence == (
        f"No object recognised; text on screen: “{'a' * 89}…”, “one two”, “red green” and more."
    )


def test_quotes_within_text_cannot_end_the_quotation() -> None:
    sentence = said(facts(view(motions=()), lines=(line("end” A cat appears. “"),)))
    assert sentence == 'No object recognised; text on screen: “end" A cat appears. "”.'


def test_the_least_important_clauses_are_dropped_first() -> None:
    now = facts(view(seen("dog", 1, 1), motions=(LEFT,)), lines=(line("Now open"),))
    full = "A dog in the middle; something moves at the left; text on screen: “Now open”."
    assert said(now, most_words=15) == full
    assert said(now, most_words=14) == "A dog in the middle; text on screen: “Now open”."
    assert said(now, most_words=9) == "A dog in the middle."
    assert said(now, most_words=3) == "A dog in…"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Took 4828 milliseconds", "Took 4828 miliseconds", True),
        ("IMG_4821.MOV", "IMG 4821.MOV", True),
        ("Copyright © 2013 Brandon", "Copyright 2013", True),
        ("exit", "entrance", False),
    ],
)
def test_readings_of_one_text_are_recognised(one: str, other: str, same: bool) -> None:
    assert is_same_text(one, other) is same
