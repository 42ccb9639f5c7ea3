"""Small documents to export, and the texts that break careless writers."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

from web.exports import WRITERS, Document
from web.shapes import (
    ChapterRecord,
    JobRecord,
    SegmentRecord,
    SummaryRecord,
    TimingsRecord,
    VideoRecord,
)

TIMINGS = TimingsRecord(
    waiting_ms=1.0,
    decode_ms=20.25,
    vision_ms=0.0,
    prefill_ms=0.0,
    generate_ms=30.123,
    total_ms=51.5,
)


NO_COMMENTS = ("chapters", "chapterlist", "ffmetadata", "speechsrt", "speechvtt")
"""Formats that tell no comments."""


def summary(*chapters: tuple[int, int, str], title: str = "A dog", text: str = "") -> SummaryRecord:
    return SummaryRecord(
        title=title,
        text=text,
        chapters=[
            ChapterRecord(start_ms=start, end_ms=end, title=name, text=f"About {name}.")
            for start, end, name in chapters
        ],
        finished_ms=1_700_000_050_000,
    )


def segment(
    index: int,
    start_ms: int,
    end_ms: int,
    text: str = "",
    *,
    kind: str = "said",
    reason: str | None = None,
) -> SegmentRecord:
    return SegmentRecord(
        index=index,
        start_ms=start_ms,
        end_ms=end_ms,
        kind=kind,
        text=text,
        reason=reason,
        original_kind=kind,
        original_text=text,
        revision=0,
        corrected_by=None,
        corrected_ms=None,
        taken_from=None,
        facts={"objects": {"dog": 1}} if kind == "said" else None,
        frame_times_ms=[start_ms, start_ms + 500],
        timings=TIMINGS,
        tokens_in=None,
        tokens_out=7,
        created_ms=1_700_000_002_000 + index,
    )


def document(
    segments: Iterable[SegmentRecord], *, filename: str = "dog.mp4", state: str = "done"
) -> Document:
    return Document(
        video=VideoRecord(
            id="vwxyz23456722222",
            sha256="ab" * 32,
            size_bytes=1_000_000,
            duration_ms=15_040,
            width=640,
            height=360,
            codec="h264",
            container="mov,mp4,m4a,3gp,3g2,mj2",
            has_audio=False,
            mime_type="video/mp4",
            warnings=["The file is cut off."],
        ),
        job=JobRecord(
            id="abcdefgh23456722",
            filename=filename,
            state=state,
            commentator="builtin",
            commentator_label="object tags, not a vision-language model",
            parameters={"capture_fps": "2", "frames_per_inference": 4},
            networks=[],
            windows_total=4,
            source_id=None,
            windows_taken=0,
            sources=[],
            created_ms=1_700_000_000_000,
            started_ms=1_700_000_001_500,
            finished_ms=None,
            failure=None,
        ),
        segments=segments,
        version="0.1.0",
        exported_ms=1_700_000_100_042,
    )


def exported(format_name: str, exported_document: Document) -> str:
    out = io.StringIO(newline="")
    WRITERS[format_name].write(exported_document, out)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Hostile:
    """A text, and the words a reader must get back from WebVTT, and from SRT if they differ.

    `joint` is what stood where a line now ends: nothing in words that are broken hard.
    """

    name: str
    text: str
    words: str
    srt_words: str | None = None
    joint: str = " "

    @property
    def in_srt(self) -> str:
        return self.words if self.srt_words is None else self.srt_words


_LONG = " ".join(f"word{number}" for number in range(1200))[:10_000]

HOSTILE = (
    Hostile("plain", "A dog runs in.", "A dog runs in."),
    Hostile("arrow", "a --> b", "a --> b", "a --› b"),
    Hostile(
        "time line",
        "00:00:01.000 --> 00:00:02.000",
        "00:00:01.000 --> 00:00:02.000",
        "00:00∶01.000 --› 00:00∶02.000",
    ),
    Hostile(
        "times of day",
        "from 12:30:00 to 1:2:3.4:5",
        "from 12:30:00 to 1:2:3.4:5",
        "from 12:30:00 to 1:2∶3.4:5",
    ),
    Hostile("blank lines", "one\n\n\n\ntwo\n \nthree", "one two three"),
    Hostile(
        "injected SRT cue",
        "x\n\n7\n00:00:01,000 --> 00:00:02,000\nINJECTED\n",
        "x 7 00:00:01,000 --> 00:00:02,000 INJECTED",
        "x 7 00:00∶01,000 --› 00:00∶02,000 INJECTED",
    ),
    Hostile(
        "injected WebVTT cue",
        "x\r\n\r\n00:01.000 --> 00:02.000 position:0%\r\nINJECTED",
        "x 00:01.000 --> 00:02.000 position:0% INJECTED",
        "x 00∶01.000 --› 00∶02.000 position:0% INJECTED",
    ),
    Hostile(
        "tags",
        "<b>bold</b> <c.red>red</c> <script>x</script> <v Bob>",
        "<b>bold</b> <c.red>red</c> <script>x</script> <v Bob>",
        "‹b›bold‹/b› ‹c.red›red‹/c› ‹script›x‹/script› ‹v Bob›",
    ),
    Hostile("entities", "R&D &amp; &lt;b&gt; &nbsp;&#60;", "R&D &amp; &lt;b&gt; &nbsp;&#60;"),
    Hostile("styles", "{\\an8}{\\pos(1,2)}top", "{\\an8}{\\pos(1,2)}top", "(∖an8)(∖pos(1,2))top"),
    Hostile(
        "backslashes", "C:\\New\\house \\N \\h", "C:\\New\\house \\N \\h", "C:∖New∖house ∖N ∖h"
    ),
    Hostile("comparison", "2 < 3 > 1", "2 < 3 > 1", "2 ‹ 3 › 1"),
    Hostile("control characters", "a\x00b\x07c\x1b[31md\x7fe\x9bf", "abc[31mdef"),
    Hostile("every newline", "a\rb\nc\r\nd\ve\ff\x85g\u2028h\u2029i\x1cj", "a b c d e f g h i j"),
    Hostile("spaces", " \t a\u00a0\u00a0b\u3000 c \t", "a b c"),
    Hostile("only a number", "42", "42"),
    Hostile("block keywords", "NOTE no\nSTYLE\nREGION\nWEBVTT", "NOTE no STYLE REGION WEBVTT"),
    Hostile("endless word", "x" * 3000, "x" * 3000, joint=""),
    Hostile("ten thousand characters", _LONG, _LONG),
    Hostile("Hebrew", "שלום עולם, כלב רץ לתוך החדר", "שלום עולם, כלב רץ לתוך החדר"),
    Hostile("Arabic with mark", "\u200fكلب يركض 3 مرات\u200f.", "\u200fكلب يركض 3 مرات\u200f."),
    Hostile("bidi override", "photo\u202egpj.exe\u202c \u2066x\u2069", "photogpj.exe x"),
    Hostile("emoji", "👩‍👩‍👧‍👦 🇩🇪 ❤️ 👍🏽 fin", "👩‍👩‍👧‍👦 🇩🇪 ❤️ 👍🏽 fin"),
    Hostile("Chinese", "一只狗跑进房间，" * 12, "一只狗跑进房间，" * 12, joint=""),
    Hostile("combining marks", "Z" + "\u0301" * 500 + "algo", "Z" + "\u0301" * 500 + "algo"),
    Hostile("lone surrogate", "a\ud800b", "a\ufffdb"),
    Hostile("byte order mark", "\ufeffstart", "start"),
    Hostile("formula", '=HYPERLINK("http://x","y")', '=HYPERLINK("http://x","y")'),
    Hostile("quotes", "say \"a, b\"; 'c'", "say \"a, b\"; 'c'"),
    Hostile("nothing", "", ""),
    Hostile("only controls", "\x00\n \u202e\n", ""),
)

SPAN_MS = 10_000


def hostile_document() -> Document:
    """Say each hostile text in a span of ten seconds."""
    return document(
        segment(index, index * SPAN_MS, (index + 1) * SPAN_MS, hostile.text)
        for index, hostile in enumerate(HOSTILE)
    )


@dataclass(frozen=True, slots=True)
class ReadCue:
    """A cue as somebody else's parser read it. The times are milliseconds."""

    start_ms: int
    end_ms: int
    text: str


def check_hostile_cues(cues: list[ReadCue], *, srt: bool) -> None:
    """Fail unless the cues tell every hostile text, word for word, over exactly its span."""
    for index, hostile in enumerate(HOSTILE):
        start_ms = index * SPAN_MS
        mine = [cue for cue in cues if start_ms <= cue.start_ms < start_ms + SPAN_MS]
        lines = [line for cue in mine for line in cue.text.split("\n")]
        assert hostile.joint.join(lines) == (hostile.in_srt if srt else hostile.words), hostile.name
        if mine:
            ends = [cue.end_ms for cue in mine]
            assert [cue.start_ms for cue in mine] == [start_ms, *ends[:-1]], hostile.name
            assert ends[-1] == start_ms + SPAN_MS, hostile.name
            assert all(len(cue.text.split("\n")) <= 2 for cue in mine), hostile.name
    assert {cue.start_ms // SPAN_MS for cue in cues} == {
        index for index, hostile in enumerate(HOSTILE) if hostile.words
    }
