"""What fits into which card; sizes of the published network with 2048 tokens for a window."""

import pytest

from doctor.advice import beside_weights
from worker.minicpm.memory_plan import FAST, FRUGAL, Plan, Sizes, TooSmall, plan

AWQ, BF16, SLOT = 5_870_000_000, 16_150_000_000, 2048 * 147_456


def on(free_gb: float, weights: int) -> Sizes:
    return Sizes(int(free_gb * 1e9), weights, SLOT, 147_456, 64 * 4096 * 2)


def test_a_large_card_works_at_full_pace() -> None:
    assert plan(on(79, BF16)) == Plan(64, FAST)


def test_slots_are_what_is_left_beside_the_weights() -> None:
    assert plan(on(23.5, AWQ)) == Plan(50, FAST)


def test_a_card_of_8_gb_works_at_a_frugal_pace() -> None:
    found = plan(on(8.0, AWQ))
    assert found == Plan(3, FRUGAL)


def test_a_card_that_is_too_small_is_told_what_would_do() -> None:
    with pytest.raises(TooSmall, match=r"7\.3 GB are needed"):
        plan(on(5, AWQ))


def test_what_long_windows_are_read_in_is_planned_for() -> None:
    """A prompt is read in one go however long it is."""
    long = Sizes(24_000_000_000, AWQ, 16_384 * 147_456, 147_456, 64 * 4096 * 2)
    assert FRUGAL.workspace(long) > 16_384 * 130_000
    assert FRUGAL.workspace(long) == FRUGAL.workspace(on(24, AWQ)) + (16_384 - 2048) * 130_000


@pytest.mark.parametrize("tokens", [512, 2048, 16_384])
def test_the_doctor_counts_as_the_plan_does(tokens: int) -> None:
    with pytest.raises(TooSmall) as told:
        plan(Sizes(10**9, AWQ, tokens * 147_456, 147_456, 64 * 4096 * 2))
    assert beside_weights(tokens) + AWQ == pytest.approx(told.value.needed, rel=0.002)


def test_as_many_slots_as_asked_or_none() -> None:
    assert plan(on(79, BF16), slots=8).slots == 8
    with pytest.raises(TooSmall):
        plan(on(24, AWQ), slots=64)
