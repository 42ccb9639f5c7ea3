"""Write an MP4 that every browser plays: H.264 and AAC, into a file that somebody else has opened."""

import os
from fractions import Fraction
from importlib import import_module
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

for _late in (
    "audio.fifo",
    "audio.layout",
    "filter.graph",
    "video.reformatter",
    "container.output",
):
    import_module(f"av.{_late}")  # PyAV would when it needs them; in the sandbox it couldn't

TICKS = 90_000  # of a second: the clock of the pictures
SOUND_RATE = 48_000  # samples a second
KEY_FRAME_EVERY = 50  # pictures: a seek decodes at most so many
QUALITY = "26"  # x264's constant rate factor
_LONG_SIDE, _SHORT_SIDE = 1280, 720  # pixels


def playable_size(width: int, height: int) -> tuple[int, int]:
    """Return (width, height), both even, of a picture that fits into 720p, upright or lying."""
    long_side, short_side = max(width, height), min(width, height)
    share = min(1.0, _LONG_SIDE / long_side, _SHORT_SIDE / short_side)
    return max(round(width * share / 2) * 2, 16), max(round(height * share / 2) * 2, 16)


class Mp4:
    """An MP4 being written: pictures and sound in order of time. Close it to make it whole."""

    def __init__(self, descriptor: int, size: tuple[int, int], *, sound: bool) -> None:
        """`descriptor`: an empty file, open for writing. `size`: (width, height), both even."""
        self._container = av.open(Output(descriptor), "w", format="mp4")
        self._video: Any = self._container.add_stream("libx264", rate=Fraction(30))
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = self._video.codec_context.time_base = Fraction(1, TICKS)
        self._video.codec_context.thread_count = min(len(os.sched_getaffinity(0)), 4)
        self._video.options = {
            "preset": "superfast",
            "crf": QUALITY,
            "x264-params": f"bframes=0:keyint={KEY_FRAME_EVERY}:force-cfr=0",
        }
        self._sound: Any = None
        if sound:
            self._sound = self._container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
            self._sound.bit_rate = 128_000
        self._last = -1  # tick of the last picture

    def picture(self, frame: VideoFrame, time: Fraction) -> None:
        """Add a picture of the MP4's size, shown from `time` (seconds) on; one that is not later is left out."""
        tick = round(time * TICKS)
        if tick <= self._last:
            return
        self._last = tick
        frame.pts, frame.time_base = tick, Fraction(1, TICKS)
        frame.pict_type = 0  # the encoder's own choice, not the source's  # type: ignore[assignment]
        self._container.mux(self._video.encode(frame))

    def sound(self, samples: NDArray[np.float32], position: int) -> None:
        """Add (2, n) samples from sample number `position` on."""
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
        frame.sample_rate = SOUND_RATE
        frame.pts, frame.time_base = position, Fraction(1, SOUND_RATE)
        self._container.mux(self._sound.encode(frame))

    def close(self) -> None:
        for stream in (self._video, self._sound):
            if stream is not None:
                self._container.mux(stream.encode(None))
        self._container.close()


class Output:
    """A place in the file, with the methods that PyAV asks of a file it writes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._place = 0

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._descriptor, view, self._place)
            self._place += count
            view = view[count:]
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place}.get(whence)
        if start is None:
            start = os.fstat(self._descriptor).st_size
        self._place = max(start + offset, 0)
        return self._place

    def tell(self) -> int:
        return self._place
