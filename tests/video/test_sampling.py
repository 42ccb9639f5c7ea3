"""Sampling follows presentation times, and gives what decoding everything would give."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.windows import milliseconds
from tests.video.clips import HEIGHT, WIDTH, cut_off, damage, number_of, write_clip
from tests.video.conftest import clock_of, plan_of, sample_all
from tests.video.reference import decode_everything
from web.probe import probe
from worker.video.decoder import Clock, Decoder
from worker.video.packets import VideoPacket
from worker.video.pictures import Scaler

SECOND = Fraction(1)
STEADY = list(range(0, 6000, 40))
UNSTEADY = [i * 40 + i * i % 29 for i in range(150)]
H264 = {"bf": "2", "g": "25"}


def times_and_numbers(
    decoder: Decoder, path: Path, times: list[Fraction], slot: Fraction
) -> list[tuple[Fraction, int]]:
    facts = probe(path, path.name)
    windows = [[time] for time in times]
    size = (facts.width, facts.height)
    sampled = decoder.sample(path, clock_of(facts), windows, slot, size)
    return [(f.time, number_of(f.picture)) for window in sampled for f in window.frames]


def test_sampling_follows_pts_not_frame_count(decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "vfr.mkv", pts_ms=[0, 40, 80, 500, 1000, 1900, 2100])
    times = [Fraction(i, 2) for i in range(5)]
    assert times_and_numbers(decoder, clip, times, Fraction(1, 2)) == [
        (Fraction(0), 0),
        (Fraction(1, 2), 3),
        (Fraction(1), 4),
        (Fraction("1.9"), 5),
        (Fraction("2.1"), 6),
    ]


def test_a_still_screen_is_shown_as_it_was_not_as_it_will_be(
    decoder: Decoder, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "still.mkv", pts_ms=[0, 40, 60_000, 60_040])
    times = [Fraction(0), Fraction(10), Fraction(59), Fraction(60)]
    assert times_and_numbers(decoder, clip, times, SECOND) == [
        (Fraction(0), 0),
        (Fraction("0.04"), 1),
        (Fraction("0.04"), 1),
        (Fraction(60), 2),
    ]


def test_a_picture_is_given_once_per_window(decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "still.mkv", pts_ms=[0, 40, 3000])
    facts = probe(clip, clip.name)
    window = [Fraction(0), Fraction(1), Fraction(2), Fraction(3)]
    (sampled,) = decoder.sample(clip, clock_of(facts), [window], SECOND, (WIDTH, HEIGHT))
    assert [number_of(frame.picture) for frame in sampled.frames] == [0, 1, 2]


def test_time_0_is_the_first_picture_of_a_late_start(decoder: Decoder, tmp_path: Path) -> None:
    for name in ("late.mkv", "late.mp4", "late.ts"):
        clip = write_clip(tmp_path / name, pts_ms=[5000 + pts for pts in STEADY], options=H264)
        assert times_and_numbers(decoder, clip, [Fraction(0), Fraction(2)], SECOND) == [
            (Fraction(0), 0),
            (Fraction(2), 50),
        ], name


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_pictures_stand_upright(decoder: Decoder, tmp_path: Path, rotation: int) -> None:
    """The clip is marked as turned, so turning the sampled picture back shows its bar code."""
    clip = write_clip(tmp_path / "turned.mp4", pts_ms=[0, 40], rotation=rotation)
    facts = probe(clip, clip.name)
    upright = (WIDTH, HEIGHT) if rotation == 180 else (HEIGHT, WIDTH)
    assert (facts.width, facts.height) == upright
    (sampled,) = decoder.sample(clip, clock_of(facts), [[Fraction(1, 25)]], SECOND, upright)
    assert number_of(np.rot90(sampled.frames[0].picture, -rotation // 90)) == 1


def test_pixels_are_square(decoder: Decoder, tmp_path: Path) -> None:
    wide = write_clip(tmp_path / "wide.mkv", [0, 40], pixel_aspect=Fraction(16, 11))
    tall = write_clip(tmp_path / "tall.mkv", [0, 40], pixel_aspect=Fraction(1, 2))
    shapes = [probe(clip, clip.name) for clip in (wide, tall)]
    assert [(f.width, f.height) for f in shapes] == [(186, HEIGHT), (WIDTH, 2 * HEIGHT)]


def test_overlapping_windows_share_pictures(decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", STEADY, options=H264)
    facts = probe(clip, clip.name)
    windows = [[Fraction(start), Fraction(start + 1), Fraction(start + 2)] for start in range(3)]
    sampled = decoder.sample(clip, clock_of(facts), windows, SECOND, (WIDTH, HEIGHT))
    numbers = [[number_of(frame.picture) for frame in window.frames] for window in sampled]
    assert numbers == [[0, 25, 50], [25, 50, 75], [50, 75, 100]]


def test_a_chunk_in_the_middle_reads_the_same_as_the_whole(
    decoder: Decoder, tmp_path: Path
) -> None:
    for name in ("long.mp4", "long.mkv", "long.ts", "long.avi"):
        codec = "mpeg2video" if name.endswith("avi") else "libx264"
        long = [i * 40 for i in range(3000)]
        clip = write_clip(tmp_path / name, long, codec, options={"bf": "2", "g": "50"})
        facts = probe(clip, name)
        times = [[Fraction(second)] for second in (90, 30, 0, 110)]
        parts = [next(_sample(decoder, clip, clock_of(facts), [time])) for time in times]
        numbers = [number_of(part.frames[0].picture) for part in parts]
        assert numbers == [2250 % 256, 750 % 256, 0, 2750 % 256], name


def _sample(decoder: Decoder, clip: Path, clock: Clock, windows: Any) -> Any:
    return decoder.sample(clip, clock, windows, SECOND, (WIDTH, HEIGHT))


NO_CUTS = {"bf": "2", "g": "12", "sc_threshold": "1000000000"}
OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0"}
KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": {"bf": "2", "g": "25"}},
    "pyramid.mp4": {"options": {"x264-params": "bframes=7:b-pyramid=normal:keyint=40"}},
    "open_gop.mp4": {"options": OPEN_GOP},
    "open_gop.mkv": {"options": OPEN_GOP},
    "open_gop.ts": {"options": OPEN_GOP},
    "fragments.mp4": {
        "options": H264,
        "muxer_options": {"movflags": "frag_keyframe+empty_moov"},
    },
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "keyint=20:log-level=none"}},
    "ten_bit.mp4": {"options": H264, "pixel_format": "yuv420p10le"},
    "full_chroma.mkv": {"options": H264, "pixel_format": "yuv444p"},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "30", "auto-alt-ref": "1", "lag-in-frames": "16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "30", "cpu-used": "8"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"g": "30", "preset": "12"}},
    "mpeg2.ts": {"codec": "mpeg2video", "options": NO_CUTS},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": NO_CUTS},
    "mpeg4.avi": {"codec": "mpeg4", "options": NO_CUTS},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "live.mkv": {"options": H264, "muxer_options": {"live": "1"}},
    "h264.flv": {"options": H264},
    "h264.avi": {"options": H264},
}  # fmt: skip


@pytest.mark.parametrize("fps", [Fraction(2), Fraction(30)], ids=["sparse", "dense"])
@pytest.mark.parametrize("name", KINDS)
def test_sampling_gives_the_very_bits_of_decoding_everything(
    decoder: Decoder, tmp_path: Path, name: str, fps: Fraction
) -> None:
    pts_ms = STEADY if name.endswith("avi") or name.startswith("mpeg") else UNSTEADY
    clip = write_clip(tmp_path / name, pts_ms, **KINDS[name])
    assert_like_everything(decoder, clip, fps)
    shown = [f for window in sample_all(decoder, clip, fps) for f in window.frames]
    numbers = [number_of(frame.picture) for frame in shown]
    assert [milliseconds(frame.time) for frame in shown] == [pts_ms[number] for number in numbers]


@pytest.mark.parametrize("name", [name for name in KINDS if name.endswith(("avi", "mpg", "ts"))])
def test_a_whole_file_is_not_called_damaged(tmp_path: Path, name: str) -> None:
    clip = write_clip(tmp_path / name, STEADY, **KINDS[name])
    assert probe(clip, clip.name).warnings == []


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        ([140], "one of its pictures, at 5.6 s, can't be decoded and is left out."),
        ([140, 142], "2 of its pictures, the first at 5.6 s, can't be decoded and are left out."),
    ],
)
def test_damage_near_the_end_is_counted(tmp_path: Path, pictures: list[int], words: str) -> None:
    clip = write_clip(tmp_path / "clip.mp4", STEADY, "mpeg4", options={"g": "25"})
    damage(clip, pictures)
    assert probe(clip, clip.name).warnings == [f"The file is damaged: {words}"]


def test_damaged_pictures_are_replaced_by_ones_that_decode(
    decoder: Decoder, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", STEADY, "mjpeg", pixel_format="yuvj420p")
    damage(clip, [25, 26, 50, 100])
    times = [Fraction(i) for i in range(5)]
    assert times_and_numbers(decoder, clip, times, SECOND) == [
        (Fraction(0), 0),
        (Fraction("1.08"), 27),
        (Fraction("2.04"), 51),
        (Fraction(3), 75),
        (Fraction("4.04"), 101),
    ]


def test_a_stretch_without_a_picture_gives_an_empty_window(
    decoder: Decoder, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", STEADY, "mjpeg", pixel_format="yuvj420p")
    damage(clip, range(25, 100))
    windows = [sampled.frames for sampled in sample_all(decoder, clip, fps=Fraction(10))]
    assert [bool(frames) for frames in windows] == [
        True,
        True,
        False,
        False,
        False,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize("kept", [0, 12])
def test_a_damaged_stream_still_gives_what_decoding_everything_gives(
    decoder: Decoder, tmp_path: Path, kept: int
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", STEADY, options=H264)
    damage(clip, [30, 61, 62], keep=kept)
    assert_like_everything(decoder, clip, Fraction(4))


def test_a_file_that_is_cut_off_is_sampled_to_its_last_picture(
    decoder: Decoder, tmp_path: Path
) -> None:
    clip = write_clip(
        tmp_path / "clip.mp4", STEADY, options=H264, muxer_options={"movflags": "faststart"}
    )
    cut_off(clip, share=0.6)
    assert_like_everything(decoder, clip, Fraction(4))


def test_one_lying_timestamp_changes_nothing_else(decoder: Decoder, tmp_path: Path) -> None:
    def lie(number: int, packet: VideoPacket) -> None:
        if number == 60:
            packet.pts = 36_000_000

    clip = write_clip(tmp_path / "liar.mkv", STEADY, "mjpeg", pixel_format="yuvj420p", alter=lie)
    times = [Fraction(i * 4, 10) for i in range(15)]
    sampled = times_and_numbers(decoder, clip, times, Fraction(4, 10))
    assert sampled == [(time, i * 10) for i, time in enumerate(times)]
    assert plan_of(probe(clip, clip.name)).end == 6


def test_a_splice_in_a_transport_stream_is_closed_up(decoder: Decoder, tmp_path: Path) -> None:
    def jump(number: int, packet: VideoPacket) -> None:
        if number >= 75:
            assert packet.pts is not None
            assert packet.dts is not None
            hours = 36_000 * 25
            packet.pts, packet.dts = packet.pts + hours, packet.dts + hours

    clip = write_clip(tmp_path / "spliced.ts", STEADY, "mpeg2video", {"g": "25"}, alter=jump)
    times = [Fraction(i) for i in range(6)]
    sampled = times_and_numbers(decoder, clip, times, SECOND)
    assert [number for _, number in sampled] == [0, 25, 50, 75, 100, 125]
    assert [time for time, _ in sampled] == times


def test_joined_recordings_play_one_after_the_other(decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "once.ts", STEADY, "mpeg2video", NO_CUTS)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(clip.read_bytes() * 2)
    times = [Fraction(1), Fraction(5), Fraction(7), Fraction(11)]
    sampled = times_and_numbers(decoder, joined, times, SECOND)
    assert [number for _, number in sampled] == [25, 125, 25, 125]
    assert plan_of(probe(joined, joined.name)).end == 12


def test_pictures_that_lean_on_the_gop_before_are_exact(decoder: Decoder, tmp_path: Path) -> None:
    """In an open GOP the pictures shown just before a key picture are decoded after it."""
    options = NO_CUTS | {"g": "50"}
    clip = write_clip(tmp_path / "open.mpg", [i * 40 for i in range(250)], "mpeg2video", options)
    facts = probe(clip, clip.name)
    windows = [[Fraction(number, 25)] for number in (98, 99, 198, 199)]
    size = (WIDTH, HEIGHT)
    sampled = decoder.sample(clip, clock_of(facts), windows, Fraction(1, 25), size)
    shown = dict(decode_everything(clip).frames)
    for (frame,) in (window.frames for window in sampled):
        assert np.array_equal(frame.picture, Scaler(*size).picture(shown[frame.pts]))


def test_streams_without_times_count_their_pictures(decoder: Decoder, tmp_path: Path) -> None:
    for name in ("raw.h264", "no_times.avi"):
        clip = write_clip(tmp_path / name, STEADY, options={"bf": "2", "g": "25"})
        times = [Fraction(i) for i in range(6)]
        sampled = times_and_numbers(decoder, clip, times, SECOND)
        assert [number for _, number in sampled] == [0, 25, 50, 75, 100, 125], name


def assert_like_everything(decoder: Decoder, clip: Path, fps: Fraction) -> None:
    """Compare PTS and bits with a plain decoding of the whole file."""
    facts = probe(clip, clip.name)
    size = (max(facts.width // 2, 1), max(facts.height // 2, 1))
    sampled = sample_all(decoder, clip, fps, size)
    everything = decode_everything(clip)
    plan, time_base = plan_of(facts, fps), Fraction(facts.time_base)
    for window, got in enumerate(sampled):
        dues = [facts.origin_pts + time / time_base for time in plan.sample_times(window)]
        frames = dict(everything.at(due, 2 / fps / time_base) for due in dues)
        assert [frame.pts for frame in got.frames] == sorted(frames)
        for frame in got.frames:
            assert np.array_equal(frame.picture, Scaler(*size).picture(frames[frame.pts]))
