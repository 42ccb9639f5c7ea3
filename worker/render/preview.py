"""Child program: a copy of a video with the commentary drawn into its pictures, as MP4.

Reads {"video": descriptor, "output": descriptor, "largest_file", "stream_index", "origin_pts", "end_pts",
"width", "height", "sound", "cues": [[start_ms, end_ms, [line, ...]], ...]} from standard input. Pictures keep their
times, counted from the first displayable one. Where a cue begins or ends while a picture stands for long, the picture
is shown again.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from json import load
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from models.errors import BadFile
from worker.render.lettering import Fonts, Lettering, letter
from worker.render.telling import Progress, told
from worker.video.choosing import Span
from worker.video.confinement import confine
from worker.video.footage import Footage, read_table
from worker.video.mp4 import Mp4, playable_size
from worker.video.pictures import Scaler
from worker.video.sound import Sound
from worker.video.source import Source

SHORTEST_SIDE = 360  # pixels: in a smaller picture nobody could read
FASTEST = Fraction(1, 50)  # seconds from one picture to the next: quicker ones are left out
NICENESS = 15  # whoever comments goes first
_LETTERS_TOLD = 20

Picture = NDArray[np.uint8]  # (H, W, 3), RGB
Cue = tuple[int, int, list[str]]  # start and end in ms, lines


def main() -> None:
    request = load(sys.stdin)
    os.nice(NICENESS)
    size = _size(request["width"], request["height"])
    fonts = Fonts(line for _, _, lines in request["cues"] for line in lines)
    letter(["x"], fonts, *size)  # imports what drawing needs
    confine(cpu_seconds=None, largest_file=request["largest_file"])  # the parent watches the clock
    av.logging.set_level(None)  # any level lets FFmpeg's threads wait for Python's lock: deadlock
    told(lambda: _render(request, fonts, size))


def _size(width: int, height: int) -> tuple[int, int]:
    grown = max(SHORTEST_SIDE / min(width, height), 1.0)
    return playable_size(round(width * grown), round(height * grown))


def _render(request: dict[str, Any], fonts: Fonts, size: tuple[int, int]) -> list[str]:
    """Write the copy; return what a viewer should know of it. Raises AppErrors."""
    source = Source(request["video"])
    table = read_table(source, request["stream_index"])
    origin = request["origin_pts"] * table.time_base
    end = request["end_pts"] * table.time_base - origin
    footage = Footage(source, request["stream_index"], table, frame_threads=True)
    sound = Sound(source, origin, end) if request["sound"] else None
    subtitles = _Subtitles(request["cues"], fonts, size)
    copy = Mp4(request["output"], size, sound=sound is not None)
    progress = Progress(float(end))
    scaler = Scaler(*size)

    def pictures() -> Iterator[tuple[Fraction, Picture]]:
        for packet, frame in footage.pictures(Span(0, len(table) - 1)):
            time = table.pts[packet] * table.time_base - origin
            if 0 <= time < end:
                yield time, scaler.picture(frame)

    shown = False
    for time, picture in _with_repeats(pictures(), _changes(request["cues"]), end):
        if sound:
            for samples, position in sound.until(time):
                copy.sound(samples, position)
        copy.picture(VideoFrame.from_ndarray(subtitles.drawn(time, picture), "rgb24"), time)
        progress.reach(float(time))
        shown = True
    if not shown:
        raise BadFile("can't be copied: none of its pictures can be decoded.")
    if sound:
        for samples, position in sound.until(end):
            copy.sound(samples, position)
    copy.close()
    return _missing_letters(fonts)


def _changes(cues: Sequence[Cue]) -> list[Fraction]:
    """Return the times, in seconds, at which other words are shown."""
    return [
        Fraction(ms, 1000) for ms in sorted({ms for start, end, _ in cues for ms in (start, end)})
    ]


def _with_repeats(
    pictures: Iterator[tuple[Fraction, Picture]], changes: Sequence[Fraction], end: Fraction
) -> Iterator[tuple[Fraction, Picture]]:
    """Yield each picture at its time, again where the words change before the next one, and at the end."""
    held: tuple[Fraction, Picture] | None = None
    moments = iter([*changes, end - FASTEST])
    moment = next(moments, end)
    for time, picture in pictures:
        if held is not None and time - held[0] < FASTEST:
            continue
        while moment < time:
            if held is not None and moment > held[0]:
                yield moment, held[1]
            moment = next(moments, end)
        yield time, picture
        held = (time, picture)
    while held is not None and moment < end:
        if moment > held[0]:
            yield moment, held[1]
        moment = next(moments, end)


class _Subtitles:
    """What is drawn at a time that only grows."""

    def __init__(self, cues: Sequence[Cue], fonts: Fonts, size: tuple[int, int]) -> None:
        self._cues = iter(cues)
        self._fonts, self._size = fonts, size
        self._start_ms, self._end_ms = -1, -1
        self._lettering: Lettering | None = None

    def drawn(self, time: Fraction, picture: Picture) -> Picture:
        """Return the picture with the words of that time; without any, as it is."""
        time_ms = round(time * 1000)
        while self._end_ms <= time_ms:
            self._start_ms, self._end_ms, lines = next(self._cues, (1 << 62, 1 << 63, []))
            self._lettering = letter(lines, self._fonts, *self._size) if lines else None
        if self._lettering is None or time_ms < self._start_ms:
            return picture
        return self._lettering.drawn(picture)


def _missing_letters(fonts: Fonts) -> list[str]:
    if not fonts.missing:
        return []
    letters = " ".join(sorted(fonts.missing)[:_LETTERS_TOLD])
    return [
        f"{len(fonts.missing)} characters are drawn as boxes, because no font on the server has them: "
        f"{letters}. Its operator can install one (Debian: fonts-noto-core, fonts-noto-cjk)."
    ]


if __name__ == "__main__":
    main()
