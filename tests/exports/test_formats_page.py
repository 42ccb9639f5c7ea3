"""The samples in docs/formats.md are what the writers write."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.exports.documents import document, exported, segment, summary
from web.exports import WRITERS, Document
from web.shapes import JobRecord, SegmentRecord, TimingsRecord, UtteranceRecord, VideoRecord
from worker.builtin.extract import extract

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def sample() -> Document:
    """The builtin commentator's answer to ten seconds of a dog that fetches a toy."""
    whole = document(
        [
            shown(
                segment(
                    0,
                    0,
                    4000,
                    "A person at the left and a dog (then not seen); something moves all across "
                    "the picture.",
                ),
                [1, 1, 0, 0],
                [0, 1001, 2002, 3003],
                timings(354.073, 1546.134, 0.338, 1900.7),
            ),
            shown(
                segment(1, 4000, 8000, "A dog appears."),
                [1, 1, 1, 1],
                [4004, 5005, 6006, 7007],
                timings(434.901, 851.668, 0.182, 1286.9),
            ),
            shown(
                segment(2, 8000, 9643, kind="unchanged"),
                [],
                [8008, 9009],
                timings(205.476, 537.49, 0.125, 743.2),
            ),
        ],
        filename="dog_fetch.mp4",
    )
    video: VideoRecord = {
        **whole.video,
        "sha256": "21425eb9b7fce7d3fb23fa17b1c07bcbe99ba9e64e3b5347d8052ba6d9c38924",
        "size_bytes": 1_738_970,
        "duration_ms": 9643,
        "width": 1280,
        "height": 720,
        "has_audio": True,
        "warnings": [],
    }
    job: JobRecord = {**whole.job, "windows_total": 3, "finished_ms": 1_700_000_006_100}
    title, text = extract([segment["text"] for segment in whole.segments], 5)
    told = summary((0, 9643, title), title=title, text=text)
    told["chapters"][0]["text"] = text
    heard = UtteranceRecord(start_ms=900, end_ms=2400, text="Go on, fetch it!", language="en")
    return replace(whole, video=video, job=job, summary=told, speech=[heard])


def shown(
    record: SegmentRecord, dogs: list[int], frame_times_ms: list[int], measured: TimingsRecord
) -> SegmentRecord:
    facts = {"views": [{"objects": [{"name": "dog", "counts": dogs}]}]} if dogs else None
    return {
        **record,
        "facts": facts,
        "frame_times_ms": frame_times_ms,
        "timings": measured,
        "tokens_out": None,
    }


def timings(
    decode_ms: float, vision_ms: float, generate_ms: float, total_ms: float
) -> TimingsRecord:
    return TimingsRecord(
        waiting_ms=0.0,
        decode_ms=decode_ms,
        vision_ms=vision_ms,
        prefill_ms=0.0,
        generate_ms=generate_ms,
        total_ms=total_ms,
    )


@pytest.mark.parametrize("format_name", list(WRITERS))
def test_the_page_shows_a_true_sample(format_name: str) -> None:
    page = PAGE.read_text("utf-8")
    shown = re.findall(rf"^```{format_name}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    written = exported(format_name, sample()).removeprefix("\ufeff").replace("\r\n", "\n")
    assert [text.rstrip("\n") for text in shown] == [written.rstrip("\n")]
