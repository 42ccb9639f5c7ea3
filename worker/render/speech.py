"""Child program: speak comments at their times, as one sound track as long as the video.

Reads {"output": descriptor, "largest_file", "format": "wav" or "m4a", "voice", "duration_ms",
"comments": [[start_ms, text], ...]} from standard input. A comment may last until the next one starts.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import av
import numpy as np

from models.errors import Unsupported
from worker.render.espeak import NoSynthesiser, Samples, Synthesiser
from worker.render.fitting import USUAL, Spoken, fit
from worker.render.telling import Progress, told
from worker.video.confinement import confine
from worker.video.mp4 import Output

for _late in ("audio.codeccontext", "audio.stream", "subtitles.codeccontext", "subtitles.stream"):
    import_module(f"av.{_late}")  # PyAV would when it needs them; in the sandbox it couldn't

BREATH_MS = 120  # between the end of a comment and the next one
MOMENTS_TOLD = 8
NICENESS = 15  # whoever comments goes first
_PIECE_S = 1
_CONTAINERS = {"wav": ("wav", "pcm_s16le", "s16"), "m4a": ("ipod", "aac", "fltp")}


def main() -> None:
    request = json.load(sys.stdin)
    os.nice(NICENESS)
    told(lambda: _render(request))


def _render(request: dict[str, Any]) -> list[str]:
    """Write the track; return what a listener should know of it. Raises Unsupported."""
    try:
        synthesiser = Synthesiser()
    except NoSynthesiser as missing:
        raise Unsupported(f"can't be spoken. {missing}") from None
    if not synthesiser.choose(request["voice"]):
        raise Unsupported(f"can't be spoken: there is no voice for {request['voice']!r} here.")
    confine(None, request["largest_file"], [synthesiser.folder])  # the parent watches the clock
    av.logging.set_level(None)  # any level lets FFmpeg's threads wait for Python's lock: deadlock
    return _speak_all(request, synthesiser)


def _speak_all(request: dict[str, Any], synthesiser: Synthesiser) -> list[str]:
    rate, comments = synthesiser.rate_hz, request["comments"]
    end = request["duration_ms"] * rate // 1000
    progress, remarks = Progress(end), _Remarks(len(comments))
    with _Track(request["output"], request["format"], rate) as track:
        for start_ms, room, text in _rooms(comments, request["duration_ms"], rate):
            track.silence_until(start_ms * rate // 1000)
            spoken = fit(text, room, synthesiser.speak)
            remarks.take(start_ms, spoken)
            track.write(spoken.samples)
            progress.reach(track.place)
        track.silence_until(end)
    return remarks.sentences()


def _rooms(
    comments: Sequence[tuple[int, str]], duration_ms: int, rate: int
) -> Iterator[tuple[int, int, str]]:
    """Yield (start in ms, room in samples, text)."""
    starts = [start for start, _ in comments]
    ends = [*(start - BREATH_MS for start in starts[1:]), duration_ms]
    for (start_ms, text), end_ms in zip(comments, ends, strict=False):
        room_ms = max(min(end_ms, duration_ms) - start_ms, 0)
        yield start_ms, room_ms * rate // 1000, text


class _Remarks:
    """What became of the comments."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._faster: list[int] = []
        self._cut: list[int] = []

    def take(self, start_ms: int, spoken: Spoken) -> None:
        if spoken.is_cut:
            self._cut.append(start_ms)
        elif spoken.words_a_minute > USUAL:
            self._faster.append(start_ms)

    def sentences(self) -> list[str]:
        return [
            f"{len(moments)} of {self._count} comments {what}: at {_moments(moments)}."
            for moments, what in (
                (self._faster, "are spoken faster, to end before the next one"),
                (self._cut, "are cut, because there is no time to say all of them"),
            )
            if moments
        ]


def _moments(times_ms: list[int]) -> str:
    told = ", ".join(f"{ms // 60_000}:{ms // 1000 % 60:02d}" for ms in times_ms[:MOMENTS_TOLD])
    return told + (" …" if len(times_ms) > MOMENTS_TOLD else "")


class _Track:
    """A sound file that is written from start to end."""

    def __init__(self, descriptor: int, kind: str, rate: int) -> None:
        container, codec, sample_format = _CONTAINERS[kind]
        options = {"rf64": "auto"} if kind == "wav" else {}  # beyond 4 GB
        self._file: Any = av.open(Output(descriptor), "w", format=container, options=options)
        self._stream: Any = self._file.add_stream(codec, rate=rate, layout="mono")
        encoder: Any = self._stream.codec_context
        encoder.format = sample_format
        if kind == "m4a":
            encoder.bit_rate = 56_000
        self._rate = rate
        self.place = 0  # samples written

    def __enter__(self) -> "_Track":
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:
            self._file.mux(self._stream.encode(None))
            self._file.close()

    def write(self, samples: Samples) -> None:
        piece = _PIECE_S * self._rate
        for start in range(0, len(samples), piece):
            part = np.ascontiguousarray(samples[start : start + piece]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts = self._rate, self.place
            self._file.mux(self._stream.encode(frame))
            self.place += part.shape[1]

    def silence_until(self, place: int) -> None:
        while self.place < place:
            length = min(place - self.place, _PIECE_S * self._rate)
            self.write(np.zeros(length, np.int16))


if __name__ == "__main__":
    main()
