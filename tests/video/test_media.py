"""Real files and the trouble they carry, judged by what is known of each."""

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from models.errors import AppError
from models.facts import seconds
from tests.video.conftest import plan_of, sample_all
from web.probe import probe
from worker.video.decoder import Decoder

# width, height, windows, PTS of the last picture in seconds since the first, end, words of warnings
GOOD: dict[str, tuple[int, int, int, str, str, list[str]]] = {
    "-starts-with-dash-.mp4": (1, 1, 2, "4.000", "5.000", []),
    "black_silent_25s.mp4": (320, 240, 7, "24.967", "25.000", []),
    "bottles.mp4": (640, 360, 10, "39.821", "39.855", []),
    "bottles_truncated.mp4": (640, 360, 7, "27.151", "27.184", ["39.9 s"]),
    "burrow.3gp": (176, 144, 1, "0.933", "1.000", []),
    "chaplin_bw.mp4": (640, 360, 3, "9.600", "9.640", []),
    "clouds_mpeg2.ts": (1920, 1080, 1, "2.458", "2.500", []),
    "coffee_mjpeg.avi": (480, 270, 2, "5.973", "6.006", []),
    "corrupt_after_2_7s.mp4": (1280, 720, 2, "4.900", "5.000", ["damaged"]),
    "cursed_vfr_screen.mp4": (3026, 1386, 2, "7.156", "8.726", []),
    "cuts_fades_text.mp4": (1280, 720, 6, "23.991", "24.024", []),
    "dog_576i_interlaced.mpg": (1024, 576, 2, "5.960", "6.000", []),
    "dog_fetch.mp4": (1280, 720, 3, "9.610", "9.643", []),
    "dog_upside_down_vfr.mp4": (1280, 720, 1, "2.280", "2.380", []),
    "fingers.mov": (320, 240, 2, "7.243", "7.276", []),
    "flower_opens.webm": (960, 540, 2, "4.972", "5.005", []),
    "fruit_conveyor.gif": (480, 270, 2, "6.670", "6.740", []),
    "letter_blocks.mp4": (1280, 720, 3, "9.710", "9.743", []),
    "metadata_injection.mkv": (640, 480, 1, "3.600", "3.633", []),
    "nasa_two_videos.mp4": (320, 180, 4, "12.960", "13.000", ["2 video streams"]),
    "no_duration_dark.webm": (1280, 720, 2, "4.872", "4.938", []),
    "one_person_at_a_time.mp4": (768, 432, 35, "139.300", "139.400", []),
    "onscreen_instructions.mp4": (640, 360, 2, "5.973", "6.006", []),
    "pool_no_first_keyframe.ts": (640, 360, 1, "0.466", "0.499", ["first 2.1 s"]),
    "popcorn.ogv": (302, 180, 17, "64.500", "64.542", []),
    "pour_coffee.mp4": (1280, 720, 3, "9.543", "9.576", []),
    "roofs_hdr10_av1.mp4": (720, 1280, 2, "4.204", "4.238", []),
    "screen_no_duration.mkv": (1920, 1080, 9, "35.196", "35.229", []),
    "sign_language.mkv": (640, 480, 1, "3.600", "3.633", []),
    "talking_head.flv": (1080, 720, 1, "0.967", "0.968", []),
    "ten_by_six.mp4": (10, 6, 17, "64.500", "64.542", []),
    "tree_and_hand.avi": (320, 240, 8, "29.533", "29.600", []),
}

# kind, words of the sentence
BAD: dict[str, tuple[str, str]] = {
    "audio_only.mp4": ("no-video", "only sound"),
    "coffee_no_moov.mp4": ("bad-file", "its index"),
    "concat_in_disguise.avi": ("unsupported", "a list of files"),
    "html_error_page.webm": ("bad-file", "a web page"),
    "mp4_bad_free_box.mp4": ("bad-file", "its index"),
    "mp4_only_header.mp4": ("bad-file", "no pictures follow"),
    "mp4_zero_stsc.mp4": ("bad-file", "none of its pictures is intact"),
    "playlist_in_disguise.mp4": ("unsupported", "a playlist"),
    "vp9_invalid_bitstream.webm": ("bad-file", "none of its pictures is intact"),
    "zero_bytes.mp4": ("bad-file", "0 bytes"),
}


def test_every_clip_is_judged(media: Path) -> None:
    assert {path.name for path in media.iterdir()} - {"MANIFEST.md"} == {*GOOD, *BAD}


@pytest.mark.parametrize("name", GOOD)
def test_a_clip_gives_its_windows(media: Path, decoder: Decoder, name: str) -> None:
    width, height, windows, last, end, warnings = GOOD[name]
    facts = probe(media / name, name)
    assert (facts.width, facts.height) == (width, height)
    assert f"{float(seconds(facts, facts.last_pts)):.3f}" == last
    assert f"{float(seconds(facts, facts.end_pts)):.3f}" == end
    assert len(facts.warnings) == len(warnings), facts.warnings
    for words, warning in zip(warnings, facts.warnings, strict=True):
        assert words in warning
    sampled = sample_all(decoder, media / name, size=(64, 48))
    assert len(sampled) == len(plan_of(facts)) == windows
    assert all(window.frames for window in sampled)
    assert sampled[0].frames[0].time == 0


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_words(media: Path, name: str) -> None:
    kind, words = BAD[name]
    with pytest.raises(AppError) as caught:
        probe(media / name, name)
    assert caught.value.kind == kind
    assert str(caught.value).startswith(f"{name} ")
    assert words in str(caught.value)


EMPTY_PACKETS = {"popcorn.ogv"}  # ffprobe counts repeated pictures as pictures


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe to compare times with")
@pytest.mark.parametrize("name", sorted(set(GOOD) - EMPTY_PACKETS))
def test_times_are_those_that_ffprobe_finds(media: Path, decoder: Decoder, name: str) -> None:
    facts = probe(media / name, name)
    found = _times_by_ffprobe(media / name, facts.stream_index)
    origin = facts.origin_pts * Fraction(facts.time_base)
    frames = [
        f for window in sample_all(decoder, media / name, size=(32, 32)) for f in window.frames
    ]
    strangers = [f.time for f in frames if not _near(origin + f.time, found)]
    assert strangers == []
    assert _near(origin, found[:1])
    assert _near(origin + seconds(facts, facts.last_pts), found[-3:])


def _near(time: Fraction, found: list[float]) -> bool:
    return any(abs(float(time) - other) < 0.001 for other in found)


def _times_by_ffprobe(path: Path, stream_index: int) -> list[float]:
    """Return when each picture that decodes appears, in seconds on the stream's axis."""
    command = ["ffprobe", "-v", "quiet", "-of", "json", "-select_streams", str(stream_index)]
    entries = ["-show_entries", "frame=best_effort_timestamp_time"]
    answer = subprocess.run([*command, *entries, "-i", str(path)], capture_output=True, check=False)
    frames = json.loads(answer.stdout)["frames"]
    return sorted(
        float(frame["best_effort_timestamp_time"])
        for frame in frames
        if "best_effort_timestamp_time" in frame
    )


def test_the_mime_type_is_what_chromium_plays(media: Path) -> None:
    def mime_type(name: str) -> str:
        return probe(media / name, name).mime_type

    assert mime_type("bottles.mp4") == mime_type("roofs_hdr10_av1.mp4") == "video/mp4"
    assert mime_type("flower_opens.webm") == mime_type("no_duration_dark.webm") == "video/webm"
    for name in ("popcorn.ogv", "burrow.3gp", "clouds_mpeg2.ts", "fruit_conveyor.gif"):
        assert mime_type(name) == ""


def test_facts_tell_codec_sound_and_pictures(media: Path) -> None:
    silent = probe(media / "bottles.mp4", "bottles.mp4")
    loud = probe(media / "flower_opens.webm", "flower_opens.webm")
    assert (silent.codec, silent.has_audio, silent.frame_count) == ("h264", False, 1189)
    assert (loud.codec, loud.has_audio, loud.frame_count) == ("vp8", True, 150)
