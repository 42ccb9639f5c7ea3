"""What a viewer needs: lines that can be read, time to read them, no word lost."""

import io
from itertools import pairwise

import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exports.documents import document, exported, segment
from web.exports.cues import Cue, cues
from web.exports.line_breaks import display_width
from web.shapes import SegmentRecord

FRAGMENTS = st.sampled_from(
    (
        "-->",
        "\n\n",
        "1\n00:00:01,000 --> 00:00:02,000\n",
        "<i>",
        "{\\an8}",
        "&amp;",
        "\x00",
        "\u2028",
        "👩‍👩‍👧‍👦",
        "🇩🇪",
        "e\u0301",
        "狗跑进房间。",
        "שלום",
        "\u202e",
        "\ud800",
        "x" * 60,
        " ",
        "dog",
    )
)
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=30)), max_size=40).map("".join)
ENGLISH = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz.,", min_size=1, max_size=14), min_size=1, max_size=120
).map(" ".join)
SPANS = st.integers(0, 60_000)


@st.composite
def films(draw: st.DrawFn) -> list[SegmentRecord]:
    """Segments that tile a film, some without words."""
    film, start_ms = [], 0
    for index, (length_ms, text) in enumerate(
        draw(st.lists(st.tuples(st.integers(1, 20_000), TEXTS), max_size=6))
    ):
        kind = draw(st.sampled_from(["said", "said", "unchanged", "empty"]))
        film.append(segment(index, start_ms, start_ms + length_ms, text, kind=kind))
        start_ms += length_ms
    return film


def cues_of(text: str, span_ms: int) -> list[Cue]:
    return list(cues([segment(0, 5000, 5000 + span_ms, text)]))


@settings(deadline=None)
@given(ENGLISH, SPANS)
def test_no_word_is_lost_or_moved(text: str, span_ms: int) -> None:
    lines = [line for cue in cues_of(text, span_ms) for line in cue.lines]
    assert " ".join(lines) == text


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1), SPANS)
def test_no_character_of_an_endless_word_is_lost(word: str, span_ms: int) -> None:
    assert "".join(line for cue in cues_of(word, span_ms) for line in cue.lines) == word


@settings(deadline=None)
@given(ENGLISH, SPANS)
def test_lines_fit_wherever_the_span_has_room(text: str, span_ms: int) -> None:
    shown = cues_of(text, span_ms)
    assert all(1 <= len(cue.lines) <= 2 for cue in shown)
    if (len(shown) + 1) * 1000 <= span_ms:  # another cue would have fitted, none was needed
        assert all(display_width(line) <= 42 for cue in shown for line in cue.lines)


@settings(deadline=None)
@given(TEXTS, SPANS)
def test_cues_fill_their_span_a_second_or_more_each(text: str, span_ms: int) -> None:
    shown = cues_of(text, span_ms)
    if shown:
        assert shown[0].start_ms == 5000
        assert shown[-1].end_ms == 5000 + max(span_ms, 1)
        assert all(before.end_ms == after.start_ms for before, after in pairwise(shown))
        assert all(cue.end_ms - cue.start_ms >= min(1000, max(span_ms, 1)) for cue in shown)
        assert [cue.part for cue in shown] == list(range(1, len(shown) + 1))


@settings(deadline=None)
@given(films())
def test_cues_never_overlap_and_parsers_count_the_same(film: list[SegmentRecord]) -> None:
    mine = list(cues(film))
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(mine))
    by_index = {one["index"]: one for one in film}
    for cue in mine:
        whole = by_index[cue.segment]
        assert whole["kind"] == "said"
        assert whole["start_ms"] <= cue.start_ms < cue.end_ms <= whole["end_ms"]
    in_srt = list(srt.parse(exported("srt", document(film)), ignore_errors=False))
    in_vtt = webvtt.from_buffer(io.StringIO(exported("vtt", document(film))))
    assert len(in_srt) == len(in_vtt) == len(mine)
    exported("srt", document(film)).encode()


def test_time_is_shared_in_proportion_to_the_text() -> None:
    half = "one two three four five six seven eight nine ten"  # 48 columns
    first, second = cues_of(f"{half} {half}", 10_000)
    assert (first.start_ms, first.end_ms, second.end_ms) == (5000, 10_000, 15_000)
    assert first.lines == second.lines == ("one two three four five", "six seven eight nine ten")


def test_a_cue_ends_with_a_clause_where_one_ends_near() -> None:
    first, second = cues_of(
        "A person at the left and a dog (then not seen); something moves all across the picture.",
        4000,
    )
    assert first.lines == ("A person at the left and", "a dog (then not seen);")
    assert second.lines == ("something moves all across the picture.",)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The sign at the door says “STAY OUT.”", "A person reads it aloud, then opens it anyway."),
        (
            "A person in red enters from the left,",
            "and picks up the green bottle and shakes it twice.",
        ),
    ],
)
def test_quotes_and_commas_end_a_clause_too(first: str, second: str) -> None:
    assert [" ".join(cue.lines) for cue in cues_of(f"{first} {second}", 4000)] == [first, second]


def test_a_clause_far_from_the_middle_does_not_make_a_cue() -> None:
    first, second = cues_of("Look: " + "one two three four five six seven eight " * 2, 4000)
    assert first.lines == ("Look: one two three four five six seven",)
    assert second.lines == ("eight one two three four", "five six seven eight")


def test_a_short_comment_stays_one_line() -> None:
    text = "A person in a red shirt picks up a bottle."  # 42 columns
    assert [cue.lines for cue in cues_of(text, 4000)] == [(text,)]


def test_two_lines_are_of_about_equal_length() -> None:
    [cue] = cues_of("A person in a red shirt picks up the green bottle.", 4000)
    assert cue.lines == ("A person in a red shirt", "picks up the green bottle.")


def test_too_many_words_make_long_lines_not_more_or_shorter_cues() -> None:
    shown = cues_of("word " * 200, 2500)
    assert [len(cue.lines) for cue in shown] == [2, 2]
    assert {line for cue in shown for line in cue.lines} == {" ".join(["word"] * 50)}


def test_a_segment_of_no_length_keeps_its_words() -> None:
    [cue] = cues_of("The last frame.", 0)
    assert (cue.start_ms, cue.end_ms, cue.lines) == (5000, 5001, ("The last frame.",))


def test_two_full_lines_fit_one_cue() -> None:
    full = "a" * 20 + " " + "b" * 21
    [cue] = cues_of(f"{full} {full}", 4000)
    assert cue.lines == (full, full)


def test_a_short_rest_is_shown_for_a_second() -> None:
    shown = cues_of("x" * 130, 2000)  # lines of 42, 42, 42 and 4 columns
    assert [(cue.start_ms, cue.end_ms) for cue in shown] == [(5000, 6000), (6000, 7000)]


def test_chinese_breaks_between_characters_but_not_beside_punctuation() -> None:
    [cue] = cues_of("一" * 20 + "。" + "二" * 10, 4000)
    assert cue.lines == ("一" * 16, "一" * 4 + "。" + "二" * 10)
    for length in range(1, 40):
        phrase = "一" * length + "「二」。"
        lines = [line for cue in cues_of(phrase * 5, 20_000) for line in cue.lines]
        assert "".join(lines) == phrase * 5
        assert not any(line.startswith(("」", "。")) or line.endswith("「") for line in lines)


def test_korean_breaks_at_its_spaces() -> None:
    text = "강아지 한 마리가 방으로 뛰어 들어와 빨간 공을 물고 다시 나갑니다"
    assert [" ".join(cue.lines) for cue in cues_of(text, 4000)] == [text]


def test_what_is_drawn_as_one_character_is_not_broken() -> None:
    family = "👩‍👩‍👧‍👦"
    lines = [line for cue in cues_of(family * 30, 4000) for line in cue.lines]
    assert {line.replace(family, "") for line in lines} == {""}
    accents = [line for cue in cues_of("e\u0301" * 100, 4000) for line in cue.lines]
    assert not any(line.startswith("\u0301") for line in accents)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("dog", 3),
        ("狗", 2),
        ("ｄｏｇ", 6),
        ("e\u0301", 1),
        ("\u0301", 0),
        ("한국", 4),
        ("ᄒ\u1161\u11ab", 2),
        ("👩‍👩‍👧‍👦", 2),
        ("👍🏽", 2),
        ("🇩🇪🇫🇷", 4),
        ("❤", 1),
        ("❤️", 2),
        ("שלום\u200f", 4),
        ("की", 2),
    ],
)
def test_display_width(text: str, width: int) -> None:
    assert display_width(text) == width
