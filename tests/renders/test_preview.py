"""The preview: the video's pictures at their times, with the words in them while they are said."""

import json
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import BadFile, DiskFull, TooLarge
from tests.renders.making import preview_request, render
from tests.security.nasty import NASTY
from tests.web.clips import write_clip
from web.exports.plain_text import plain
from web.renders.kinds import PREVIEW

WORDS = ["A person at the left and", "a dog; שלום Привет"]


def previewed(tmp_path: Path, video: Path, cues: list[tuple[int, int, list[str]]]) -> Path:
    path = tmp_path / "preview.mp4"
    render(PREVIEW, path, preview_request(video, cues), video)
    return path


def pictures(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    with av.open(str(path)) as file:
        return [
            (
                float(frame.pts * frame.time_base),
                np.asarray(frame.to_ndarray(format="gray"), np.uint8),
            )
            for frame in file.decode(video=0)
            if frame.pts is not None and frame.time_base is not None
        ]


def shows_words(picture: NDArray[np.uint8]) -> bool:
    """Tell whether there are white letters in a dark box in the bottom's middle."""
    height, width = picture.shape
    place = picture[int(height * 0.8) : int(height * 0.95), width // 4 : width * 3 // 4]
    return bool((place > 225).mean() > 0.02 and (place < 60).mean() > 0.1)


def test_words_are_drawn_while_they_are_said(tmp_path: Path, clip: Path) -> None:
    shown = pictures(
        previewed(
            tmp_path, clip, [(1000, 2500, WORDS), (2500, 3000, ["Other words follow at once."])]
        )
    )
    assert [round(time, 2) for time, _ in shown[:3]] == [0, 0.1, 0.2]
    assert shown[0][1].shape == (360, 640)  # the clip has 320×180: too small to read in
    for time, picture in shown:
        assert shows_words(picture) == (0.99 < time < 2.99), time


def test_a_picture_that_stands_for_long_gets_its_words_in_time(tmp_path: Path) -> None:
    still = tmp_path / "still.mp4"
    write_clip(still, seconds=12, rate=1)
    slow = tmp_path / "slow.mkv"
    with av.open(str(still)) as old, av.open(str(slow), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = packet.pts * 10, packet.dts * 10
                packet.stream = stream
                new.mux(packet)
    shown = pictures(previewed(tmp_path, slow, [(13_500, 17_250, WORDS)]))
    changes = [time for time, picture in shown if shows_words(picture)]
    assert changes[0] == pytest.approx(13.5, abs=0.01)
    assert next(time for time, _ in shown if time > changes[-1]) == pytest.approx(17.25, abs=0.01)


@pytest.mark.parametrize(
    "name", ["dog_upside_down_vfr.mp4", "pool_no_first_keyframe.ts", "burrow.3gp"]
)
def test_real_clips_become_mp4_that_ffprobe_takes(tmp_path: Path, media: Path, name: str) -> None:
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("needs ffprobe")
    request = preview_request(media / name, [(0, 400, WORDS)])
    path = tmp_path / "preview.mp4"
    render(PREVIEW, path, request, media / name)
    told = subprocess.run(
        [program, "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert told.stderr == b""
    found = json.loads(told.stdout)
    codecs = [stream["codec_name"] for stream in found["streams"]]
    assert codecs == ["h264", *["aac"] * request["sound"]]
    video = found["streams"][0]
    assert video["pix_fmt"] == "yuv420p"
    assert video["width"] / video["height"] == pytest.approx(
        request["width"] / request["height"], rel=0.02
    )
    assert shows_words(pictures(path)[0][1])


def test_hostile_text_is_only_drawn(tmp_path: Path, clip: Path) -> None:
    texts = [plain(text) for text in NASTY]
    cues = [(100 * place, 100 * place + 100, [text]) for place, text in enumerate(texts)]
    assert len(pictures(previewed(tmp_path, clip, cues))) >= 60


def test_letters_that_no_font_has_are_told(tmp_path: Path, clip: Path) -> None:
    request = preview_request(clip, [(0, 1000, ["A sign: \U00013000"])])
    notes = render(PREVIEW, tmp_path / "x", request, clip)
    assert "\U00013000" in notes[0]
    assert "are drawn as boxes" in notes[0]


def test_a_file_that_is_no_video_any_more_is_told(tmp_path: Path, clip: Path) -> None:
    request = preview_request(clip, [])
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 5000)
    with pytest.raises(BadFile, match=r"^clip\.mp4 can't be read as a video"):
        render(PREVIEW, tmp_path / "x", request, broken)


def test_a_copy_never_grows_past_its_limit(tmp_path: Path, clip: Path) -> None:
    request = {**preview_request(clip, []), "largest_file": 2000}
    with pytest.raises(TooLarge, match="larger than this server keeps"):
        render(PREVIEW, tmp_path / "x", request, clip)
    assert (tmp_path / "x").stat().st_size <= 2000


def test_a_full_disk_is_told(clip: Path) -> None:
    with pytest.raises(DiskFull, match=r"^clip\.mp4 can't be made: the server's disk is full"):
        render(PREVIEW, Path("/dev/full"), preview_request(clip, []), clip)
