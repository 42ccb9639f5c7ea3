"""The sound that copies for playing and previews carry: unbroken, at its times, in bounded memory."""

import tracemalloc
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from worker.video.mp4 import SOUND_RATE
from worker.video.sound import BLOCK, Sound
from worker.video.source import Source

LOUD = 0.25
START = Fraction(0)
HOUR = 3600


def write_sound(
    path: Path, stretches: Sequence[tuple[float, float]], rate: int = SOUND_RATE
) -> Path:
    """Write a file that is loud in these stretches (start, end; seconds) and holds nothing else."""
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("pcm_s16le", rate=rate, layout="mono")
        for start, end in stretches:
            for at in range(round(start * rate), round(end * rate), rate // 10):
                samples = np.full((1, rate // 10), LOUD * 32_767, np.int16)
                frame = AudioFrame.from_ndarray(samples, "s16", "mono")
                frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
                file.mux(stream.encode(frame))
    return path


def loudness(path: Path, seconds: int, origin: Fraction = START) -> NDArray[np.bool_]:
    """Return for each tenth of a second whether something is heard in its middle."""
    with path.open("rb") as file:
        sound = Sound(Source(file.fileno()), origin, Fraction(seconds))
        blocks = list(sound.until(Fraction(seconds)))
    assert [position for _, position in blocks] == list(range(0, BLOCK * len(blocks), BLOCK))
    assert {samples.shape for samples, _ in blocks} == {(2, BLOCK)}
    heard = np.abs(np.concatenate([samples for samples, _ in blocks], axis=1)[0]) > LOUD / 2
    tenth = SOUND_RATE // 10
    return np.asarray(heard[tenth // 2 :: tenth], np.bool_)


def tenths(*loud: tuple[int, int], of: int) -> list[bool]:
    return [any(first <= place < stop for first, stop in loud) for place in range(of)]


@pytest.mark.parametrize("rate", [SOUND_RATE, 8000])
def test_a_gap_is_silence_and_what_follows_is_at_its_time(tmp_path: Path, rate: int) -> None:
    path = write_sound(tmp_path / "x.mkv", [(0, 0.5), (1.2, 1.5)], rate)
    assert list(loudness(path, 2)) == tenths((0, 5), (12, 15), of=20)


def test_sound_before_the_first_picture_is_not_heard(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.mkv", [(0, 0.5), (0.9, 1.5)])
    assert list(loudness(path, 1, origin=Fraction(4, 10))) == tenths((0, 1), (5, 10), of=10)


def test_sound_that_overlaps_is_cut_and_never_runs_late(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.mkv", [(0, 0.8), (0.72, 0.92), (1.2, 1.4)])
    assert list(loudness(path, 2)) == tenths((0, 9), (12, 14), of=20)


def test_what_the_end_lacks_is_silence(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.mkv", [(0, 0.5)])
    assert list(loudness(path, 3)) == tenths((0, 5), of=30)


def test_sound_that_begins_after_hours_takes_no_memory(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.mkv", [(2 * HOUR, 2 * HOUR + 1)])
    with path.open("rb") as file:
        sound = Sound(Source(file.fileno()), START, Fraction(3 * HOUR))
        tracemalloc.start()
        try:
            blocks = [samples for samples, _ in sound.until(Fraction(10))]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(blocks) == 10 * SOUND_RATE // BLOCK
    assert not np.concatenate(blocks, axis=1).any()
    assert peak < 50_000_000


def test_sound_in_a_codec_that_nobody_knows_is_silence(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.mkv", [(0, 1)])
    known = path.read_bytes()
    assert known.count(b"A_PCM/INT/LIT") == 1
    path.write_bytes(known.replace(b"A_PCM/INT/LIT", b"A_NONE/SUCH/X"))
    assert list(loudness(path, 1)) == tenths(of=10)
