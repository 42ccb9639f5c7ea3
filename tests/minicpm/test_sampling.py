"""Which token comes next, by literal probabilities."""

from collections import Counter

import pytest

pytest.importorskip("torch", reason="the native runtime needs PyTorch")

import torch

from worker.minicpm.sampling import Sampling, choose, penalise

SHARES = torch.tensor([[0.1, 0.4, 0.2, 0.3]])
EVENLY = [(i + 0.5) / 1000 for i in range(1000)]


def drawn(rule: Sampling) -> dict[int, float]:
    """How often each token is drawn when chance goes evenly over [0, 1)."""
    count = len(EVENLY)
    tokens = choose(SHARES.log().expand(count, -1), [rule] * count, EVENLY)
    return {token: times / count for token, times in sorted(Counter(tokens.tolist()).items())}


def test_greedy_takes_the_best() -> None:
    assert choose(SHARES, [Sampling()], [0.99]).tolist() == [1]


def test_draws_follow_the_probabilities() -> None:
    assert drawn(Sampling(temperature=1)) == pytest.approx(
        {0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}, abs=2e-3
    )


def test_temperature_sharpens() -> None:
    squares = SHARES[0] ** 2 / (SHARES[0] ** 2).sum()
    wanted = dict(enumerate(squares.tolist()))
    assert drawn(Sampling(temperature=0.5)) == pytest.approx(wanted, abs=2e-3)


def test_top_k_keeps_the_best() -> None:
    assert drawn(Sampling(temperature=1, top_k=2)) == pytest.approx({1: 4 / 7, 3: 3 / 7}, abs=2e-3)


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    half = drawn(Sampling(temperature=1, top_p=0.5))
    assert half == pytest.approx({1: 4 / 7, 3: 3 / 7}, abs=2e-3)
    assert drawn(Sampling(temperature=1, top_p=0.3)) == {1: 1.0}


def test_top_p_counts_what_top_k_left() -> None:
    """After top_k=2 the best holds 4/7, more than a half."""
    assert drawn(Sampling(temperature=1, top_k=2, top_p=0.55)) == {1: 1.0}


def test_each_row_has_its_own_rules() -> None:
    rules = [
        Sampling(),
        Sampling(temperature=1, top_k=1),
        Sampling(temperature=1),
        Sampling(temperature=1, top_p=0.6),
    ]
    chances = [0.0, 0.95, 0.95, 0.3]
    assert choose(SHARES.log().expand(4, -1), rules, chances).tolist() == [1, 1, 0, 1]


def test_a_penalty_touches_its_rows_written_tokens_only() -> None:
    scores = torch.tensor([[2.0, -2.0, 1.0], [2.0, -2.0, 1.0], [2.0, -2.0, 1.0]])
    written = torch.tensor([[1, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=torch.bool)
    assert penalise(scores, written, torch.tensor([2.0, 4.0, 1.0])).tolist() == [
        [1.0, -4.0, 1.0],
        [2.0, -2.0, 0.25],
        [2.0, -2.0, 1.0],
    ]


def test_a_seed_gives_the_same_chances() -> None:
    first, second = (Sampling(seed=7).new_dice() for _ in range(2))
    assert [first.random() for _ in range(5)] == [second.random() for _ in range(5)]
    assert Sampling(seed=8).new_dice().random() != Sampling(seed=7).new_dice().random()


@pytest.mark.parametrize(
    "rule",
    [
        {"max_new_tokens": 0},
        {"min_new_tokens": 100},
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"repetition_penalty": 0.0},
    ],
)
def test_impossible_rules_are_refused(rule: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Sampling"):
        Sampling(**rule)  # type: ignore[arg-type]


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(TypeError, match="suppress_tokens"):
        Sampling(suppress_tokens=[1])  # type: ignore[call-arg]


def test_equal_scores_are_drawn_the_same_way_beside_any_row() -> None:
    """Scores rounded as a network's are have many equals."""
    dice = torch.Generator().manual_seed(1)
    scores = torch.randn(2, 5000, generator=dice).bfloat16().float()
    rule = Sampling(temperature=1, top_k=100)
    for chance in EVENLY[::50]:
        (alone,) = choose(scores[:1], [rule], [chance]).tolist()
        for top_k in (0, 200):
            other = Sampling(temperature=1, top_k=top_k)
            assert choose(scores, [rule, other], [chance, 0.5]).tolist()[0] == alone
