"""The sound of a file, as one unbroken run of samples beside its pictures."""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.stream import Discard
from numpy.typing import NDArray

from worker.video.mp4 import SOUND_RATE
from worker.video.opening import open_container
from worker.video.source import Source

BLOCK = 1024  # samples: what AAC takes at once
LATE = SOUND_RATE // 20  # samples by which a frame may be off before the gap is filled

Samples = NDArray[np.float32]  # (2, n)


class Sound:
    """Reads the first audio stream; whatever of it can't be decoded is silence."""

    def __init__(self, source: Source, origin: Fraction, end: Fraction) -> None:
        """`origin`: the moment (seconds, by the file's clock) that is time 0; `end`: seconds from there."""
        self._container = open_container(source)
        self._stream = self._container.streams.audio[0]
        for other in self._container.streams:
            if other.index != self._stream.index:
                other.discard = Discard.all
        self._origin = origin
        self._end = round(end * SOUND_RATE)
        self._waiting: Samples = np.zeros((2, 0), np.float32)
        self._position = 0  # of the first sample that waits
        self._parts = self._unbroken()

    def until(self, time: Fraction) -> Iterator[tuple[Samples, int]]:
        """Yield blocks (2, BLOCK) and the number of their first sample, up to a time in seconds."""
        wanted = min(round(time * SOUND_RATE), self._end)
        while self._position + BLOCK <= wanted:
            while self._waiting.shape[1] < BLOCK:
                part = next(self._parts, None)
                if part is None:  # the sound has ended
                    part = np.zeros((2, BLOCK), np.float32)
                self._waiting = np.concatenate((self._waiting, part), axis=1)
            yield self._waiting[:, :BLOCK], self._position
            self._waiting = self._waiting[:, BLOCK:]
            self._position += BLOCK

    def _unbroken(self) -> Iterator[Samples]:
        """Yield all samples from time 0 on; silence, in pieces of bounded size, where none are."""
        place = 0  # of the next sample
        for time, samples in self._read():
            gap = round((time - self._origin) * SOUND_RATE) - place
            if gap > LATE:
                for first in range(0, gap, BLOCK):
                    yield np.zeros((2, min(gap - first, BLOCK)), np.float32)
                place += gap
            found = samples[:, -gap:] if gap < -LATE else samples
            yield found
            place += found.shape[1]

    def _read(self) -> Iterator[tuple[Fraction, Samples]]:
        """Yield each frame's time, by the file's clock, and its samples."""
        resampler: AudioResampler | None = None
        shape: tuple[object, ...] = ()
        time = self._origin
        for frame in self._decoded():
            if shape != (frame.format.name, frame.layout.name, frame.sample_rate):
                shape = (frame.format.name, frame.layout.name, frame.sample_rate)
                resampler = AudioResampler("fltp", "stereo", SOUND_RATE)
            if frame.pts is not None and frame.time_base is not None:
                time = frame.pts * Fraction(frame.time_base)
            assert resampler is not None
            try:
                parts = [part.to_ndarray().astype(np.float32) for part in resampler.resample(frame)]
            except (av.FFmpegError, ValueError):
                continue
            for samples in parts:
                yield time, samples
                time += Fraction(samples.shape[1], SOUND_RATE)

    def _decoded(self) -> Iterator[AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
            except av.EOFError:
                return
            except av.FFmpegError:
                continue
