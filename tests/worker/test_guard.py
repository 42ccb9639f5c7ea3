"""What a commentator says can be stored, shown and exported, whatever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tables import CommentKind
from worker.guard import StopReason, clean, judge


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  A dog runs.\n", "A dog runs."),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("كلب يجري", "كلب يجري"),
        ("x" * 20_000, "x" * 10_000),
        ("\x00", ""),
    ],
)
def test_only_text_remains(said: str, kept: str) -> None:
    assert clean(said) == kept
    clean(said).encode()


SAID, UNCHANGED, EMPTY = CommentKind.SAID, CommentKind.UNCHANGED, CommentKind.EMPTY


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ("A dog runs.", SAID, "A dog runs."),
        *[(tag, SAID, tag) for tag in (
            "A slide shows </think> in red.", "A slide shows <think> in red.", "<think>a</think>",
        )],  # words on a screen: a network's own thoughts never come this far
        ("... A dog has come.", SAID, "A dog has come."),
        ("No. 7 passes the ball.", SAID, "No. 7 passes the ball."),
        ("No change of speed: the car goes on.", SAID, "No change of speed: the car goes on."),
        *[(same, UNCHANGED, "") for same in ("...", "…", '"..."', "....", "No change.", "- No changes")],
        *[(same, UNCHANGED, "") for same in ("Nothing has changed.", "UNCHANGED", "没有变化。")],
        ("a CAT sleeps", UNCHANGED, ""),  # what was said before, in other letters
        ("", EMPTY, ""),
        ("!!", EMPTY, ""),
    ],
)  # fmt: skip
def test_an_answer_is_a_comment_or_says_that_nothing_changed_or_nothing(
    answer: str, kind: CommentKind, text: str
) -> None:
    verdict = judge(answer, "end", "A cat sleeps.")
    assert (verdict.kind, verdict.text) == (kind, text)
    assert verdict.ask_again == (kind is EMPTY)


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        ("C" * 40, ""),
        ("the the the the the the the", ""),
        ("A man walks. He looks left. " + "a red car and " * 3, "A man walks. He looks left."),
        ("A dog runs. A dog runs. A dog runs.", "A dog runs."),
        ("A dog runs. It barks. A dog runs. Then a dog runs. A dog runs.", "A dog runs. It barks."),
        ("一只狗。" + "它在跑它在跑" * 6, "一只狗。"),
    ],
)
def test_an_answer_that_goes_round_is_cut_before_it_does(answer: str, good: str) -> None:
    verdict = judge(answer, "length", None)
    assert verdict.text == good
    assert verdict.kind is (SAID if good else EMPTY)
    assert verdict.ask_again
    assert verdict.flaw == "the answer repeated itself"


@pytest.mark.parametrize(
    "honest",
    [
        "Ha ha ha! The crowd sings “ole, ole, ole”.",
        "A red car, a blue car, a green car and a white van pass.",
        "The score is 1:1. The clock shows 10:10:10.",
        "He says no, no, no, no.",
    ],
)
def test_an_honest_repetition_is_left_alone(honest: str) -> None:
    assert judge(honest, "end", None).text == honest


@pytest.mark.parametrize(
    ("stopped_by", "answer", "text", "again"),
    [
        ("length", "A dog runs. It has a red", "A dog runs.", False),
        ("length", "A dog runs.", "A dog runs.", False),
        ("length", "A dog that runs over the", "", True),
        ("time", "A dog that runs over the", "", False),
        ("filter", "A dog runs. It has a red", "A dog runs.", False),
        ("filter", "", "", True),
    ],
)
def test_an_answer_that_was_cut_off_keeps_its_whole_sentences(
    stopped_by: StopReason, answer: str, text: str, again: bool
) -> None:
    verdict = judge(answer, stopped_by, None)
    assert (verdict.text, verdict.ask_again) == (text, again)


@given(st.text(max_size=300), st.sampled_from(["end", "length", "time", "filter"]))
def test_whatever_a_network_says_is_judged(answer: str, stopped_by: StopReason) -> None:
    verdict = judge(answer, stopped_by, answer[:20])
    assert (verdict.kind is SAID) == (verdict.text != "")
    assert clean(verdict.text) == verdict.text
    assert judge(answer, stopped_by, answer[:20]) == verdict
