"""Windows tile the video: nothing lost, nothing told twice, the last one ends with it."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.windows import WindowPlan, milliseconds


def at(*times: float | str) -> tuple[Fraction, ...]:
    """Return exact times in seconds."""
    return tuple(map(Fraction, times))


DEFAULT = WindowPlan(Fraction(2), 4, 2, 8, last_frame=Fraction("39.821"), end=Fraction("39.855"))


def test_default_windows_adjoin_and_sample_once_a_second() -> None:
    assert len(DEFAULT) == 10
    assert DEFAULT.span(0) == at(0, 4)
    assert DEFAULT.sample_times(0) == at(0, 1, 2, 3)
    assert DEFAULT.span(9) == at(36, "39.855")
    assert DEFAULT.sample_times(9) == at(36, 37, 38, 39)


def test_the_last_window_holds_only_what_is_left() -> None:
    plan = WindowPlan(Fraction(2), 4, 2, 8, last_frame=Fraction("5.2"), end=Fraction("5.3"))
    assert plan.sample_times(1) == at(4, 5)
    assert plan.span(1) == at(4, "5.3")


def test_a_picture_that_stays_long_belongs_to_the_last_window() -> None:
    plan = WindowPlan(Fraction(2), 4, 2, 8, last_frame=Fraction(5), end=Fraction(65))
    assert len(plan) == 2
    assert plan.span(1) == at(4, 65)


def test_overlapping_windows_start_every_hop() -> None:
    plan = WindowPlan(Fraction(2), 4, 2, 2, last_frame=Fraction(3), end=Fraction(4))
    windows = range(len(plan))
    assert [plan.sample_times(w) for w in windows] == [at(0, 1, 2, 3), at(1, 2, 3), at(2, 3), at(3)]
    assert [plan.span(w) for w in windows] == [at(0, 1), at(1, 2), at(2, 3), at(3, 4)]


@settings(deadline=None)  # a busy machine is no fault
@given(
    fps=st.fractions(Fraction(1, 10), 60, max_denominator=1001),
    frames=st.integers(1, 16),
    stride=st.integers(1, 16),
    hop=st.integers(1, 64),
    last_frame=st.fractions(0, 500, max_denominator=90_000),
    shown_for=st.fractions(0, 10, max_denominator=90_000),
)
def test_spans_tile_any_video(
    fps: Fraction,
    frames: int,
    stride: int,
    hop: int,
    last_frame: Fraction,
    shown_for: Fraction,
) -> None:
    plan = WindowPlan(fps, frames, stride, hop, last_frame, last_frame + shown_for)
    spans = [plan.span(window) for window in range(len(plan))]
    assert spans[0][0] == 0
    assert spans[-1][1] == plan.end
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    for window, (start, _) in enumerate(spans):
        times = plan.sample_times(window)
        assert times[0] == start
        assert times[-1] <= last_frame


def test_windows_outside_the_video_are_refused() -> None:
    with pytest.raises(IndexError):
        DEFAULT.span(10)
    with pytest.raises(ValueError, match="positive"):
        WindowPlan(Fraction(2), 4, 2, 0, Fraction(1), Fraction(1))


@pytest.mark.parametrize(
    ("seconds", "rounded"),
    [("0.0004", 0), ("0.0005", 1), ("39.855", 39855), ("1001/30000", 33)],
)
def test_times_are_rounded_to_milliseconds_once(seconds: str, rounded: int) -> None:
    assert milliseconds(Fraction(seconds)) == rounded
