"""Each format as a whole file, letter by letter."""

from collections.abc import Iterator

import pytest

from tests.exports.documents import NO_COMMENTS, document, exported, segment
from web.exports import WRITERS, Document
from web.shapes import SegmentRecord


@pytest.fixture
def small() -> Document:
    return document(
        [
            segment(0, 0, 4000, "A dog runs in."),
            segment(1, 4000, 8000, kind="unchanged"),
            segment(
                2,
                8000,
                12_000,
                "The dog & a person <close> to it play with at least 2 bottles; the sign behind "
                "them reads “DO NOT FEED” --> door.",
            ),
            segment(3, 12_000, 15_040, kind="empty", reason="The answer was\ncut off."),
        ]
    )


def test_srt(small: Document) -> None:
    assert exported("srt", small) == (
        "1\n00:00:00,000 --> 00:00:04,000\nA dog runs in.\n\n"
        "2\n00:00:08,000 --> 00:00:10,218\n"
        "The dog & a person ‹close› to it\nplay with at least 2 bottles;\n\n"
        "3\n00:00:10,218 --> 00:00:12,000\n"
        "the sign behind them reads\n“DO NOT FEED” --› door.\n\n"
    )


def test_vtt(small: Document) -> None:
    assert exported("vtt", small) == (
        "WEBVTT\n\n"
        "NOTE\n"
        "Video: dog.mp4 (00:00:15.040)\n"
        "Commentator: builtin (object tags, not a vision-language model)\n"
        "Written by Reelnotes 0.1.0, 2023-11-14T22:15:00.042Z\n\n"
        "0.1\n00:00:00.000 --> 00:00:04.000\nA dog runs in.\n\n"
        "2.1\n00:00:08.000 --> 00:00:10.218\n"
        "The dog &amp; a person &lt;close&gt; to it\nplay with at least 2 bottles;\n\n"
        "2.2\n00:00:10.218 --> 00:00:12.000\n"
        "the sign behind them reads\n“DO NOT FEED” --&gt; door.\n"
    )


def test_txt(small: Document) -> None:
    assert exported("txt", small) == (
        "Video: dog.mp4 (00:00:15.040)\n"
        "Commentator: builtin (object tags, not a vision-language model)\n"
        "Written by Reelnotes 0.1.0, 2023-11-14T22:15:00.042Z\n\n"
        "[00:00:00.000 – 00:00:04.000] A dog runs in.\n"
        "[00:00:04.000 – 00:00:08.000] (unchanged)\n"
        "[00:00:08.000 – 00:00:12.000] The dog & a person <close> to it play with at least 2 "
        "bottles; the sign behind them reads “DO NOT FEED” --> door.\n"
        "[00:00:12.000 – 00:00:15.040] (nothing said: The answer was cut off.)\n"
    )


def test_csv(small: Document) -> None:
    assert exported("csv", small) == (
        "\ufeffindex,start,end,start_ms,end_ms,kind,text,reason,frame_times_ms,waiting_ms,decode_ms,"
        "vision_ms,prefill_ms,generate_ms,total_ms,tokens_in,tokens_out\r\n"
        "0,00:00:00.000,00:00:04.000,0,4000,said,A dog runs in.,,0 500,"
        "1.0,20.25,0.0,0.0,30.123,51.5,,7\r\n"
        "1,00:00:04.000,00:00:08.000,4000,8000,unchanged,,,4000 4500,"
        "1.0,20.25,0.0,0.0,30.123,51.5,,7\r\n"
        "2,00:00:08.000,00:00:12.000,8000,12000,said,The dog & a person <close> to it play with "
        "at least 2 bottles; the sign behind them reads “DO NOT FEED” --> door.,,8000 8500,"
        "1.0,20.25,0.0,0.0,30.123,51.5,,7\r\n"
        "3,00:00:12.000,00:00:15.040,12000,15040,empty,,The answer was cut off.,12000 12500,"
        "1.0,20.25,0.0,0.0,30.123,51.5,,7\r\n"
    )


def test_json() -> None:
    two = [
        segment(0, 0, 4000, "A dog\nruns in."),
        segment(1, 4000, 8000, kind="empty", reason="Cut off."),
    ]
    assert exported("json", document(two, filename='"a".mp4')) == (
        "{\n"
        '"format": "reelnotes/1",\n'
        '"provenance": {"version": "0.1.0", "exported_ms": 1700000100042, "text": "corrected", "cues": "split"},\n'
        '"job": {"id": "abcdefgh23456722", "filename": "\\"a\\".mp4", "state": "done", '
        '"commentator": "builtin", '
        '"commentator_label": "object tags, not a vision-language model", '
        '"parameters": {"capture_fps": "2", "frames_per_inference": 4}, "networks": [], "windows_total": 4, '
        '"source_id": null, "windows_taken": 0, "sources": [], '
        '"created_ms": 1700000000000, "started_ms": 1700000001500, "finished_ms": null, '
        '"failure": null, '
        '"video": {"id": "vwxyz23456722222", "sha256": "' + "ab" * 32 + '", '
        '"size_bytes": 1000000, "duration_ms": 15040, "width": 640, "height": 360, '
        '"codec": "h264", "container": "mov,mp4,m4a,3gp,3g2,mj2", "has_audio": false, '
        '"mime_type": "video/mp4", "warnings": ["The file is cut off."]}},\n'
        '"summary": null,\n"speech": [],\n"segments": [\n'
        '{"index": 0, "start_ms": 0, "end_ms": 4000, "kind": "said", '
        '"text": "A dog\\nruns in.", "reason": null, '
        '"original_kind": "said", "original_text": "A dog\\nruns in.", "revision": 0, '
        '"corrected_by": null, "corrected_ms": null, "taken_from": null, "facts": {"objects": {"dog": 1}}, '
        '"frame_times_ms": [0, 500], "timings": {"waiting_ms": 1.0, "decode_ms": 20.25, '
        '"vision_ms": 0.0, "prefill_ms": 0.0, "generate_ms": 30.123, "total_ms": 51.5}, '
        '"tokens_in": null, "tokens_out": 7, "created_ms": 1700000002000},\n'
        '{"index": 1, "start_ms": 4000, "end_ms": 8000, "kind": "empty", '
        '"text": "", "reason": "Cut off.", "original_kind": "empty", "original_text": "", "revision": 0, '
        '"corrected_by": null, "corrected_ms": null, "taken_from": null, "facts": null, '
        '"frame_times_ms": [4000, 4500], "timings": {"waiting_ms": 1.0, "decode_ms": 20.25, '
        '"vision_ms": 0.0, "prefill_ms": 0.0, "generate_ms": 30.123, "total_ms": 51.5}, '
        '"tokens_in": null, "tokens_out": 7, "created_ms": 1700000002001}\n'
        "]\n}\n"
    )


def test_a_job_without_segments_still_makes_valid_files() -> None:
    nothing = document([], state="queued")
    assert exported("srt", nothing) == ""
    assert exported("vtt", nothing).startswith("WEBVTT\n\nNOTE\n")
    assert exported("json", nothing).endswith('"segments": [\n]\n}\n')
    assert exported("csv", nothing).count("\r\n") == 1
    assert exported("txt", nothing).endswith("\n\n")


@pytest.mark.parametrize("format_name", ["vtt", "txt", "descriptions", "ttml", "fcpxml"])
def test_an_unfinished_job_says_so(format_name: str) -> None:
    assert "Not complete: the job is running" in exported(
        format_name, document([], state="running")
    )
    assert "Not complete" not in exported(format_name, document([]))


@pytest.mark.parametrize("format_name", [name for name in WRITERS if name not in NO_COMMENTS])
def test_segments_are_written_as_they_come(format_name: str) -> None:
    """A film of ten hours must not have to fit into memory."""
    texts: list[str] = []

    class Witness:
        def write(self, text: str) -> int:
            texts.append(text)
            return len(text)

    written_before_last: list[str] = []

    def film() -> Iterator[SegmentRecord]:
        yield segment(0, 0, 4000, "first words")
        yield segment(1, 4000, 8000, "more")
        written_before_last.extend(texts)
        yield segment(2, 8000, 12_000, "last words")

    WRITERS[format_name].write(document(film()), Witness())  # type: ignore[arg-type]
    assert "first words" in "".join(written_before_last)
    assert "last words" in "".join(texts)


def test_hours_of_a_day_long_film_are_not_cut() -> None:
    late = 123 * 3_600_000 + 59 * 60_000 + 58_007
    assert exported("srt", document([segment(0, late, late + 1000, "x")])) == (
        "1\n123:59:58,007 --> 123:59:59,007\nx\n\n"
    )
