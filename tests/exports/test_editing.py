"""EDL, FCPXML and TTML, read by other people's programs."""

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from typing import Any

import opentimelineio as otio
import pytest
import ttconv.imsc.reader as imsc
import ttconv.model
from hypothesis import given
from hypothesis import strategies as st

from models.frame_rate import FrameRate
from tests.exports.documents import HOSTILE, SPAN_MS, document, exported, hostile_document, segment
from web.exports import Document
from web.exports.timecode import FrameClock

NTSC = Fraction(30_000, 1001)
RATES = [
    Fraction(24_000, 1001),
    Fraction(24),
    Fraction(25),
    NTSC,
    Fraction(30),
    Fraction(50),
    2 * NTSC,
]
XML = "{http://www.w3.org/XML/1998/namespace}"
TTML = "{http://www.w3.org/ns/ttml}"


def at(rate: Fraction, whole: Document) -> Document:
    return replace(whole, rate=FrameRate(rate, varies=False))


@given(st.sampled_from(RATES), st.integers(0, 3 * 3600 * 60))
def test_timecodes_are_those_of_opentimelineio(rate: Fraction, frame: int) -> None:
    clock = FrameClock(rate)
    theirs = otio.opentime.RationalTime(frame, float(rate)).to_timecode(
        float(rate), drop_frame=clock.drops
    )
    assert clock.timecode(frame) == theirs


def test_drop_frame_keeps_step_with_the_clock() -> None:
    clock = FrameClock(NTSC)
    assert clock.timecode(clock.frame(60_000)) == "00:00:59;28"
    assert clock.timecode(clock.frame(600_000)) == "00:10:00;00"
    assert clock.timecode(clock.frame(3_600_000)) == "01:00:00;00"
    assert FrameClock(Fraction(24_000, 1001)).timecode(86_314) == "00:59:56:10"  # an hour


@pytest.mark.parametrize("rate", RATES)
def test_opentimelineio_reads_every_comment_from_the_edl(rate: Fraction) -> None:
    edl = exported("edl", at(rate, hostile_document()))
    timeline: Any = otio.adapters.read_from_string(edl, "cmx_3600", rate=float(rate))
    clips = [clip for track in timeline.tracks for clip in track]
    assert len(clips) == len(HOSTILE)
    clock = FrameClock(rate)
    for index, (clip, hostile) in enumerate(zip(clips, HOSTILE, strict=True)):
        words = hostile.words.replace("|", "¦")
        source = clip.source_range
        assert source.start_time.to_frames() == clock.frame(index * SPAN_MS), hostile.name
        end = source.end_time_exclusive().to_frames()
        assert end == clock.frame((index + 1) * SPAN_MS), hostile.name
        assert clip.name == "dog.mp4"
        comments = clip.metadata.get("cmx_3600", {}).get("comments", [])
        assert ([f"COMMENT: {words}"] if words else []) == [
            c for c in comments if "COMMENT:" in c[:9]
        ]
        if words and re.match(r"\S", words):
            assert [marker.name for marker in clip.markers] == [words], hostile.name


def test_an_edl_as_resolve_and_avid_take_it() -> None:
    film = [segment(0, 0, 4000, "A dog | runs in."), segment(1, 4000, 8000, kind="unchanged")]
    edl = exported("edl", at(NTSC, document(film, filename="a\n001  AX\n|C:x.mp4")))
    head, first, second = edl.split("\n\n")
    assert head == "TITLE: a 001 AX _C_x\nFCM: DROP FRAME"
    assert first.splitlines()[:5] == [
        "001  AX       V     C        00:00:00;00 00:00:04;00 00:00:00;00 00:00:04;00",
        "* FROM CLIP NAME: a 001 AX ¦C:x.mp4",
        "* COMMENT: A dog ¦ runs in.",
        "* LOC: 00:00:00:00 GREEN   A dog ¦ runs in.",
        " |C:ResolveColorGreen |M:A dog ¦ runs in. |D:120",
    ]
    assert all(line.startswith("* ") for line in first.splitlines()[5:])
    assert "* Timecode: 29.97 (30000/1001) frames a second, drop frame" in first
    assert second.splitlines()[0].startswith("002  AX")
    assert len(second.splitlines()) == 2


@pytest.mark.parametrize("rate", RATES)
def test_opentimelineio_reads_every_marker_from_fcpxml(rate: Fraction) -> None:
    text = exported("fcpxml", at(rate, hostile_document()))
    read: Any = otio.adapters.read_from_string(text, "fcpx_xml")
    clips = list(read.find_clips())
    assert [clip.name for clip in clips] == ["dog.mp4"]
    clock = FrameClock(rate)
    said = [(i, hostile.words) for i, hostile in enumerate(HOSTILE) if hostile.words]
    markers = clips[0].markers
    assert [marker.name for marker in markers] == [words for _, words in said]
    for marker, (index, _) in zip(markers, said, strict=True):
        start = marker.marked_range.start_time  # its reader cuts a rate such as 29.97 down to 29
        expected = float(clock.frame(index * SPAN_MS) / rate)
        assert abs(start.to_seconds() - expected) <= 1 / start.rate


def test_fcpxml_counts_in_whole_frames() -> None:
    film = [segment(0, 0, 4001, "One."), segment(1, 4001, 8002, "Two & <three>.")]
    text = exported("fcpxml", at(NTSC, document(film, filename='a"/../<b>.mp4')))
    root = ET.fromstring(text)
    frame = Fraction(1001, 30_000)
    for element in root.iter():
        for name in ("start", "duration", "offset", "tcStart"):
            if name in element.attrib:
                assert (Fraction(element.attrib[name].removesuffix("s")) / frame).denominator == 1
    assert root.attrib == {"version": "1.8"}
    form, asset = root.findall("resources/*")
    assert (form.tag, form.get("frameDuration")) == ("format", "1001/30000s")
    assert (asset.tag, asset.get("src")) == ("asset", "a%22_.._%3Cb%3E.mp4")
    sequence = root.find("library/event/project/sequence")
    assert sequence is not None
    assert [child.tag for child in sequence] == ["note", "spine"]
    assert sequence.get("tcFormat") == "DF"
    clip = sequence.find("spine/asset-clip")
    assert clip is not None
    assert (clip.get("ref"), clip.get("name")) == ("r2", 'a"/../<b>.mp4')
    assert [marker.get("value") for marker in clip.findall("marker")] == ["One.", "Two & <three>."]


def test_a_rate_that_varies_is_told() -> None:
    whole = replace(
        document([segment(0, 0, 4000, "A dog.")]), rate=FrameRate(Fraction(24), varies=True)
    )
    for name in ("edl", "fcpxml"):
        assert "the video's own rate varies" in exported(name, whole)


def test_an_imsc_reader_reads_every_hostile_text() -> None:
    text = exported("ttml", hostile_document())
    read = imsc.to_model(ET.ElementTree(ET.fromstring(text)))
    assert read is not None
    found: dict[int, list[str]] = {}
    for element in paragraphs(read.get_body()):
        begin = element.get_begin() or 0
        found.setdefault(int(begin * 1000) // SPAN_MS, []).append(words_of(element))
    told = {index: hostile for index, hostile in enumerate(HOSTILE) if hostile.words}
    assert set(found) == set(told)
    for index, hostile in told.items():
        assert hostile.joint.join(found[index]).replace("\n", hostile.joint) == hostile.words


def paragraphs(element: Any) -> Any:
    if isinstance(element, ttconv.model.P):
        yield element
        return
    for child in element or ():
        yield from paragraphs(child)


def words_of(element: Any) -> str:
    if isinstance(element, ttconv.model.Text):
        return str(element.get_text())
    if isinstance(element, ttconv.model.Br):
        return "\n"
    return "".join(words_of(child) for child in element)


def test_ttml_tells_its_profile_and_which_text_runs_from_the_right() -> None:
    film = [segment(0, 0, 4000, "A dog."), segment(1, 4000, 8000, "3 כלבים!")]
    text = exported("ttml", document(film, filename="\ufffe&<b>.mp4"))
    root = ET.fromstring(text)
    profile = "{http://www.w3.org/ns/ttml#parameter}contentProfiles"
    assert root.get(profile) == "http://www.w3.org/ns/ttml/profile/imsc1.1/text"
    assert root.get(f"{XML}lang") == ""
    shown = root.findall(f".//{TTML}p")
    assert [p.get("style") for p in shown] == ["cue", "cue rtl"]
    assert [(p.get(f"{XML}id"), p.get("begin"), p.get("end")) for p in shown] == [
        ("c0.1", "00:00:00.000", "00:00:04.000"),
        ("c1.1", "00:00:04.000", "00:00:08.000"),
    ]
    ids = [e.get(f"{XML}id") for e in root.iter() if e.get(f"{XML}id")]
    assert len(ids) == len(set(ids))
    assert io.StringIO(text).readline() == '<?xml version="1.0" encoding="UTF-8"?>\n'
