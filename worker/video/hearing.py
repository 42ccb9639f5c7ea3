"""A stretch of a file's sound, as recognisers of speech want it: one channel, 16 kHz, 16 bits.

Runs in the decoding child only.
"""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.stream import Discard
from numpy.typing import NDArray

from models.errors import Unsupported
from worker.video.opening import open_container
from worker.video.source import Source

RATE = 16_000  # samples a second
LONGEST_S = 600
_BEFORE_S = 2  # decoding begins so long before, for codecs that need a run-up

Samples = NDArray[np.int16]  # (n,)


def hear(source: Source, origin: Fraction, start: Fraction, end: Fraction) -> Samples:
    """Return the first audio stream from `start` to `end`; what can't be decoded is silence.

    Seconds; time 0 is `origin` by the file's clock. Raises Unsupported where no decoder is here.
    """
    sound: Samples = np.zeros(round(min(end - start, Fraction(LONGEST_S)) * RATE), np.int16)
    with open_container(source) as container:
        stream = container.streams.audio[0] if container.streams.audio else None
        if stream is None or stream.codec_context is None:
            raise Unsupported("has sound in a codec that can't be decoded here.")
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        _seek(container, origin + start - _BEFORE_S)
        for time, samples in _resampled(container):
            at = round((time - origin - start) * RATE)
            if at >= len(sound):
                break
            first, last = max(at, 0), min(at + len(samples), len(sound))
            if first < last:
                sound[first:last] = samples[first - at : last - at]
    return sound


def _seek(container: InputContainer, time: Fraction) -> None:
    """Go near a moment; a file that can't be sought is read from where it is."""
    if time <= 0:
        return
    try:
        container.seek(int(time * av.time_base))
    except av.FFmpegError:
        return


def _resampled(container: InputContainer) -> Iterator[tuple[Fraction, Samples]]:
    resampler, shape = AudioResampler("s16", "mono", RATE), None
    time = Fraction(0)
    for frame in _decoded(container):
        if shape != (frame.format.name, frame.layout.name, frame.sample_rate):
            shape = (frame.format.name, frame.layout.name, frame.sample_rate)
            resampler = AudioResampler("s16", "mono", RATE)
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * Fraction(frame.time_base)
        try:
            parts = [part.to_ndarray().reshape(-1) for part in resampler.resample(frame)]
        except (av.FFmpegError, ValueError):
            continue
        for samples in parts:
            yield time, samples.astype(np.int16)
            time += Fraction(len(samples), RATE)


def _decoded(container: InputContainer) -> Iterator[AudioFrame]:
    packets = container.demux(container.streams.audio[0])
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
