"""Somebody else's readers get every hostile text back, word for word and to the millisecond."""

import csv
import html
import io
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pysubs2
import pytest
import srt
import webvtt

from tests.exports.documents import (
    HOSTILE,
    SPAN_MS,
    Hostile,
    ReadCue,
    check_hostile_cues,
    document,
    exported,
    hostile_document,
    segment,
)

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture(scope="module")
def srt_text() -> str:
    return exported("srt", hostile_document())


@pytest.fixture(scope="module")
def vtt_text() -> str:
    return exported("vtt", hostile_document())


def test_srt_library_reads_srt(srt_text: str) -> None:
    read = list(srt.parse(srt_text, ignore_errors=False))
    assert [cue.index for cue in read] == list(range(1, len(read) + 1))
    check_hostile_cues(
        [ReadCue(cue.start // MILLISECOND, cue.end // MILLISECOND, cue.content) for cue in read],
        srt=True,
    )


def test_pysubs2_reads_srt(srt_text: str) -> None:
    read = pysubs2.SSAFile.from_string(srt_text, format_="srt")
    check_hostile_cues(
        [ReadCue(cue.start, cue.end, cue.plaintext) for cue in read.events], srt=True
    )


def test_webvtt_library_reads_vtt(vtt_text: str) -> None:
    read = [
        ReadCue(
            cue.start_time.in_seconds() * 1000 + cue.start_time.milliseconds,
            cue.end_time.in_seconds() * 1000 + cue.end_time.milliseconds,
            html.unescape(cue.raw_text),
        )
        for cue in webvtt.from_string(vtt_text).captions
    ]
    check_hostile_cues(read, srt=False)


def test_vtt_cue_ids_name_segment_and_part(vtt_text: str) -> None:
    ids = [cue.identifier for cue in webvtt.from_string(vtt_text).captions]
    assert ids[:2] == ["0.1", "1.1"]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("format_name", ["srt", "vtt"])
def test_ffprobe_reads_subtitles(format_name: str, tmp_path: Path) -> None:
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        pytest.skip("needs ffprobe to read the subtitles back")
    path = tmp_path / f"hostile.{format_name}"
    path.write_text(exported(format_name, hostile_document()), "utf-8", newline="")
    command = [ffprobe, "-v", "error", "-show_packets", "-show_data", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    packets = json.loads(done.stdout)["packets"]
    read = [
        ReadCue(int(packet["pts"]), int(packet["pts"]) + int(packet["duration"]), from_dump(packet))
        for packet in packets
    ]
    if format_name == "vtt":
        read = [ReadCue(cue.start_ms, cue.end_ms, html.unescape(cue.text)) for cue in read]
    check_hostile_cues(read, srt=format_name == "srt")


def from_dump(packet: dict[str, str]) -> str:
    """Return the text of ffprobe's hex dump: 10 columns of address, 40 of digits, then letters."""
    rows = (line[10:50] for line in packet["data"].splitlines() if line)
    return bytes.fromhex("".join(rows)).decode()


def test_ffmpeg_finds_no_markup_in_srt(srt_text: str, tmp_path: Path) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("needs ffmpeg to show what a player makes of the subtitles")
    path = tmp_path / "hostile.srt"
    path.write_text(srt_text, "utf-8", newline="")
    command = [ffmpeg, "-v", "error", "-i", str(path), "-f", "ass", "-"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    texts = [line.split(",", 9)[9] for line in shown.splitlines() if line.startswith("Dialogue:")]
    expected = [cue.content.replace("\n", "\\N") for cue in srt.parse(srt_text)]
    assert texts == expected
    assert not any("{" in text for text in texts)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_csv_gives_one_row_of_plain_words(hostile: Hostile) -> None:
    text = exported("csv", document([segment(0, 0, SPAN_MS, hostile.text)]))
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))
    assert len(text.split("\r\n")) == 3  # a header, a row, and the end
    assert rows[0]["text"].removeprefix("'") == hostile.words
    assert rows[0]["text"][:1] not in tuple("=+-@\t\r\n")
    text.encode()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n@", "\x00=", "＝"])
def test_csv_cells_never_start_a_formula(start: str) -> None:
    stopped = segment(0, 0, 1000, f"{start}1+1", reason=f"{start}2")
    text = exported("csv", document([stopped]))
    row = next(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    bare = start.strip().strip("\x00")
    assert (row["text"], row["reason"]) == (f"'{bare}1+1", f"'{bare}2")


def test_csv_is_known_as_utf_8_by_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(exported("csv", document([])), "utf-8", newline="")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfindex,")
    assert path.read_text("utf-8-sig").startswith("index,")


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_json_keeps_the_text_as_it_is_stored(hostile: Hostile) -> None:
    text = exported("json", document([segment(0, 0, SPAN_MS, hostile.text)]))
    read = json.loads(text.encode())
    assert read["segments"][0]["text"] == hostile.text.replace("\ud800", "\ufffd")


def test_json_holds_only_numbers_that_json_knows() -> None:
    odd = document([segment(0, 0, 1000, "x")])
    odd.job["parameters"]["threshold"] = float("nan")
    odd.job["parameters"]["limits"] = [float("inf"), 1.5]

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads(exported("json", odd), parse_constant=refuse)
    assert read["job"]["parameters"]["threshold"] is None
    assert read["job"]["parameters"]["limits"] == [None, 1.5]


def test_txt_gives_each_segment_one_line() -> None:
    header, body = exported("txt", hostile_document()).split("\n\n", 1)
    lines = body.removesuffix("\n").split("\n")
    assert [line.split("] ", 1)[1] for line in lines] == [hostile.words for hostile in HOSTILE]
    assert len(header.splitlines()) == 3
    assert len(body.splitlines()) == len(HOSTILE)  # Python's idea of a line break is the widest


@pytest.mark.parametrize("filename", ["a\n\n00:01.000 --> 00:02.000\nINJECTED.mp4", "a ---> b"])
def test_a_file_name_adds_no_cue(filename: str) -> None:
    text = exported("vtt", document([segment(0, 0, 1000, "x")], filename=filename))
    assert [cue.text for cue in webvtt.from_string(text).captions] == ["x"]
    assert text.count("-->") == 1
    assert len(text.split("\n\n")) == 3  # header, note, cue
