"""Descriptions are read word for word, one cue for a comment, and the browser takes the track."""

import io

import webvtt

from tests.exports.documents import HOSTILE, SPAN_MS, document, exported, hostile_document, segment
from tests.exports.test_chromium import cues_in_browser, page

__all__ = ["page"]


def test_each_hostile_comment_is_one_line_of_one_cue() -> None:
    read = webvtt.from_buffer(io.StringIO(exported("descriptions", hostile_document()))).captions
    said = [(index, hostile.words) for index, hostile in enumerate(HOSTILE) if hostile.words]
    assert [cue.identifier for cue in read] == [str(index) for index, _ in said]
    assert [(cue.start_in_seconds, cue.end_in_seconds) for cue in read] == [
        (index * SPAN_MS // 1000, (index + 1) * SPAN_MS // 1000) for index, _ in said
    ]
    assert all("\n" not in cue.raw_text for cue in read)


def test_the_browser_hears_the_words(page: object) -> None:
    text = exported("descriptions", hostile_document())
    cues = cues_in_browser(page, text, kind="descriptions")  # type: ignore[arg-type]
    assert [cue["text"] for cue in cues] == [hostile.words for hostile in HOSTILE if hostile.words]
    assert not any(cue["elements"] for cue in cues)


def test_only_what_was_said_is_spoken() -> None:
    film = [
        segment(0, 0, 4000, kind="unchanged"),
        segment(1, 4000, 8000, "A dog & a cat."),
        segment(2, 8000, 8000, "The end."),
        segment(3, 8000, 9000, kind="empty", reason="Cut off."),
    ]
    text = exported("descriptions", document(film, filename="a --> b.mp4"))
    assert text == (
        "WEBVTT Audio descriptions\n\n"
        "NOTE\n"
        "Video: a -> b.mp4 (00:00:15.040)\n"
        "Commentator: builtin (object tags, not a vision-language model)\n"
        "Written by Reelnotes 0.1.0, 2023-11-14T22:15:00.042Z\n"
        'For <track kind="descriptions">: text to be spoken\n\n'
        "1\n00:00:04.000 --> 00:00:08.000\nA dog &amp; a cat.\n\n"
        "2\n00:00:08.000 --> 00:00:08.001\nThe end.\n"
    )
