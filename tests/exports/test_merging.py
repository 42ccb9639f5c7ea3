"""What was said and the unchanged windows after it become one record."""

from tests.exports.documents import segment
from web.exports import merged
from web.exports.cues import cues


def test_unchanged_windows_belong_to_what_was_said_before_them() -> None:
    film = [
        segment(0, 0, 4000, kind="unchanged"),
        segment(1, 4000, 8000, "A dog."),
        segment(2, 8000, 12_000, kind="unchanged"),
        segment(3, 12_000, 16_000, kind="unchanged"),
        segment(4, 16_000, 20_000, kind="empty", reason="Cut off."),
        segment(5, 20_000, 24_000, kind="unchanged"),
        segment(6, 24_000, 28_000, "A cat."),
        segment(7, 28_000, 32_000, "A cow."),
        segment(9, 36_000, 40_000, kind="unchanged"),
    ]
    joined = list(merged(film))
    assert [(s["index"], s["start_ms"], s["end_ms"], s["kind"]) for s in joined] == [
        (0, 0, 4000, "unchanged"),
        (1, 4000, 16_000, "said"),
        (4, 16_000, 20_000, "empty"),
        (5, 20_000, 24_000, "unchanged"),
        (6, 24_000, 28_000, "said"),
        (7, 28_000, 32_000, "said"),  # window 8 is still to come
        (9, 36_000, 40_000, "unchanged"),
    ]
    dog = joined[1]
    assert dog["text"] == "A dog."
    assert dog["frame_times_ms"] == [4000, 4500, 8000, 8500, 12_000, 12_500]
    assert dog["timings"]["total_ms"] == 154.5
    assert (dog["tokens_in"], dog["tokens_out"]) == (None, 21)
    assert film[1]["end_ms"] == 8000


def test_one_cue_stands_as_long_as_its_words_are_true() -> None:
    film = [segment(0, 0, 4000, "A dog."), segment(1, 4000, 8000, kind="unchanged")]
    assert [(c.start_ms, c.end_ms) for c in cues(film)] == [(0, 4000)]
    assert [(c.start_ms, c.end_ms) for c in cues(merged(film))] == [(0, 8000)]
