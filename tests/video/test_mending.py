"""Timestamps that no player would follow are mended, and all others left alone."""

import pytest

from worker.video.packets import NO_PTS, mend

HOUR = 3_600_000  # milliseconds are the ticks of these tests
STEADY = list(range(0, 8000, 40))


def mended(clock: list[int], spliced: bool = False) -> list[int]:
    return list(mend(clock, ticks_per_second=1000, spliced=spliced))


@pytest.mark.parametrize(
    "clock",
    [
        [],
        [0],
        [NO_PTS, NO_PTS],
        STEADY,
        [5000 + pts for pts in STEADY],
        [0, 120, 40, 80, 240, 160, 200],  # B-pictures
        [0, 60_040, 40, 60_000, 60_160, 60_080, 60_120],  # a pause amid B-pictures
        [0, 40, 80, 1_800_000, 1_800_040],  # a pause of half an hour
        [i * 20_000 for i in range(200)],  # slides
        [0, NO_PTS, 80, 120],
    ],
)
def test_honest_times_are_left_alone(clock: list[int]) -> None:
    assert mended(clock) == clock


def test_a_stray_time_is_put_beside_its_neighbours() -> None:
    for lie in (10 * HOUR, -10 * HOUR, 60_000):
        clock = [*STEADY[:50], lie, *STEADY[51:]]
        assert sorted(mended(clock)) == STEADY


def test_a_last_picture_in_the_far_future_follows_the_one_before() -> None:
    assert mended([*STEADY[:-1], 10 * HOUR]) == STEADY


def test_times_that_start_again_are_moved_behind() -> None:
    assert mended(STEADY + STEADY) == [*STEADY, *(8000 + pts for pts in STEADY)]


def test_a_splice_is_closed_up_only_where_files_may_be_spliced() -> None:
    clock = [*STEADY[:100], *(pts + 60_000 for pts in STEADY[100:])]
    assert mended(clock, spliced=True) == STEADY
    assert mended(clock, spliced=False) == clock


def test_a_splice_there_and_back_is_closed_up() -> None:
    middle = [pts + 10 * HOUR for pts in STEADY[60:120]]
    assert mended([*STEADY[:60], *middle, *STEADY[120:]], spliced=True) == STEADY
