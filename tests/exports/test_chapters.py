"""Chapters in the formats that know them, read back by programs that are not ours."""

import re
from dataclasses import replace
from pathlib import Path

import av

from tests.exports.documents import HOSTILE, NO_COMMENTS, document, exported, segment, summary
from tests.journey.footage import write_moving_square
from web.exports import WRITERS, Document, merged, missing
from web.shapes import UtteranceRecord

SPOKEN = UtteranceRecord(start_ms=900, end_ms=2400, text="Go on!", language="en")
SEGMENTS = [segment(n, n * 4000, min((n + 1) * 4000, 15_040), f"Words {n}.") for n in range(4)]


def told(*names: str) -> Document:
    edges = [0, *(4000 * (n + 1) for n in range(len(names) - 1)), 15_040]
    chapters = [(edges[n], edges[n + 1], name) for n, name in enumerate(names)]
    return replace(
        document(SEGMENTS, filename="dog.mp4"),
        summary=summary(*chapters, title="A dog & its toy", text="It runs. It rests."),
    )


def test_a_webvtt_file_of_chapters() -> None:
    text = exported("chapters", told("The <beach>", "At home --> in"))
    assert text.startswith("WEBVTT\n\nNOTE\n")
    assert text.endswith(
        "\n1\n00:00:00.000 --> 00:00:04.000\nThe &lt;beach&gt;\n"
        "\n2\n00:00:04.000 --> 00:00:15.040\nAt home --&gt; in\n"
    )


def test_a_list_for_a_description() -> None:
    late = replace(
        told("x"),
        summary=summary((0, 65_000, "One"), (65_000, 3_723_000, "Two"), (3_723_000, 3_800_000, "")),
    )
    assert exported("chapterlist", late) == "0:00 One\n1:05 Two\n1:02:03 Chapter 3\n"


def test_what_a_document_has_nothing_of_is_missing() -> None:
    bare, whole = document(SEGMENTS), replace(told("The beach"), speech=[SPOKEN])
    lacking = {name for name, writer in WRITERS.items() if missing(bare, writer.tells)}
    assert lacking == {*NO_COMMENTS}
    assert not any(missing(whole, writer.tells) for writer in WRITERS.values())


def test_ffmpeg_reads_the_chapters_and_puts_them_into_a_copy(tmp_path: Path) -> None:
    names = ["a=b; #c \\ d", *(hostile.words[:80] or "x" for hostile in HOSTILE[:3])]
    metadata = tmp_path / "clip.ffmetadata"
    metadata.write_text(exported("ffmetadata", told(*names)), encoding="utf-8", newline="")
    with av.open(str(metadata), format="ffmetadata") as container:
        read = container.chapters()
    starts = [round(c["start"] * (c["time_base"] or 0) * 1000) for c in read]
    assert starts == [0, 4000, 8000, 12_000]
    assert [c["metadata"]["title"] for c in read] == names
    clip = write_moving_square(tmp_path / "clip.mp4", 16)
    with av.open(str(clip)) as source, av.open(str(tmp_path / "copy.mp4"), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        copy.set_chapters(read)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    with av.open(str(tmp_path / "copy.mp4")) as copied:
        assert [c["metadata"]["title"] for c in copied.chapters()] == names


def test_markdown_has_the_summary_and_what_was_said_in_each_chapter() -> None:
    text = exported("md", told("The beach", "Home"))
    body, _ = text.split("\n---\n")
    assert body == (
        "# dog\\.mp4\n\n**A dog \\& its toy**\n\nIt runs\\. It rests\\.\n"
        "\n## 0:00 The beach\n\nAbout The beach\\.\n\n- `0:00` Words 0\\.\n"
        "\n## 0:04 Home\n\nAbout Home\\.\n\n"
        "- `0:04` Words 1\\.\n- `0:08` Words 2\\.\n- `0:12` Words 3\\.\n"
    )


def test_markdown_keeps_a_chapter_that_begins_within_the_last_line() -> None:
    said = [segment(0, 0, 4000, "A dog."), segment(1, 4000, 8000, kind="unchanged")]
    chapters = summary((0, 4000, "The beach"), (4000, 8000, "Home"))
    text = exported("md", replace(document(merged(said)), summary=chapters))
    assert re.findall("^## (.*)$", text, re.MULTILINE) == ["0:00 The beach", "0:04 Home"]


def test_no_text_becomes_markup_in_markdown() -> None:
    nasty = (
        "# x\n\n<script>alert(1)</script> [a](javascript:x) **b** `c` ![i](//x) | ~~d~~ http://e"
    )
    text = exported(
        "md",
        replace(
            document([segment(0, 0, 4000, nasty)], filename=nasty),
            summary=summary((0, 4000, nasty), title=nasty, text=nasty),
        ),
    )
    bare = re.sub(r"\\[^\w\s]", "", text)
    assert not re.search(r"[<>\[\]|~]|javascript:|http:", bare)


def test_text_and_json_tell_the_summary() -> None:
    text = exported("txt", told("The beach", "Home"))
    assert (
        "\n\nA dog & its toy\nIt runs. It rests.\n0:00 The beach\n0:04 Home\n\n[00:00:00.000"
        in text
    )
    assert '"summary": {"title": "A dog & its toy"' in exported("json", told("x"))
    assert '"summary": null' in exported("json", document(SEGMENTS))
