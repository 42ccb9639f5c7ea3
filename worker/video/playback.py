"""Child program: write a copy of a video that every browser plays.

Reads {"descriptor", "output", "stream_index", "origin_pts", "end_pts", "width", "height", "sound",
"most_bytes"} from standard input: a video and an empty file, both opened by its parent. Writes a JSON
object a line to standard output: {"progress": 0 to 1} now and then, and at the end {"done": true} or
{"failure": {"kind", "text"}}. The text follows the file's name. Time 0 of the copy is the video's
first displayable picture.
"""

import errno
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc, Interpolation, VideoReformatter

from models.errors import AppError, BadFile, DiskFull, InternalError, OutOfMemory, TooLarge
from worker.video.choosing import Span
from worker.video.confinement import confine
from worker.video.footage import Footage, read_table
from worker.video.mp4 import Mp4, playable_size
from worker.video.pictures import Scaler, quarter_turns
from worker.video.sound import Sound
from worker.video.source import Source

NICENESS = 15  # whoever comments goes first
TELL_SECONDS = 0.5
FASTEST = Fraction(1, 50)  # seconds from one picture to the next: quicker ones are left out


def main() -> None:
    request = json.load(sys.stdin)
    os.nice(NICENESS)
    confine(cpu_seconds=None, largest_file=request["most_bytes"])  # the parent watches the clock
    av.logging.set_level(None)  # any level lets FFmpeg's threads wait for Python's lock: deadlock
    try:
        for progress in write_copy(request):
            _say({"progress": round(progress, 4)})
        _say({"done": True})
    except AppError as error:
        _say({"failure": {"kind": error.kind, "text": str(error)}})
    except MemoryError:
        _fail(OutOfMemory, "needs more memory than converting a video may take.")
    except av.FFmpegError as error:
        _fail(InternalError, f"can't be converted: {error.strerror}.")
    except OSError as error:
        if error.errno == errno.EFBIG:
            _fail(TooLarge, "would make a copy larger than this server keeps (PLAYBACK_BYTES).")
        elif error.errno == errno.ENOSPC:
            _fail(DiskFull, "can't be converted: the server's disk is full.")
        else:
            _fail(InternalError, f"can't be converted: {error.strerror}.")


def write_copy(request: dict[str, Any]) -> Iterator[float]:
    """Write the copy; yield the share that is done, twice a second at most. Raises AppErrors."""
    source = Source(request["descriptor"])
    table = read_table(source, request["stream_index"])
    origin = request["origin_pts"] * table.time_base
    end = request["end_pts"] * table.time_base - origin
    size = playable_size(request["width"], request["height"])
    footage = Footage(source, request["stream_index"], table, frame_threads=True)
    sound = Sound(source, origin, end) if request["sound"] else None
    converter = Converter(size)
    copy = Mp4(request["output"], size, sound=sound is not None)
    told, shown, last = 0.0, Fraction(-1), None
    for packet, frame in footage.pictures(Span(0, len(table) - 1)):
        moment = table.pts[packet] * table.time_base - origin
        if moment < 0 or moment - shown < FASTEST:
            continue
        if sound:
            _copy_sound(copy, sound, moment)
        last, shown = converter.convert(frame), moment
        copy.picture(last, moment)
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            yield min(float(moment / end), 1.0)
    if last is None:
        raise BadFile("can't be converted: none of its pictures can be decoded.")
    copy.picture(last, end - FASTEST)  # a last picture that stands for long is shown for as long
    if sound:
        _copy_sound(copy, sound, end)
    copy.close()


def _copy_sound(copy: Mp4, sound: Sound, until: Fraction) -> None:
    for samples, position in sound.until(until):
        copy.sound(samples, position)


class Converter:
    """Makes pictures upright, of one size, in the encoder's colours."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._scaler = Scaler(*size)
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame) -> VideoFrame:
        if quarter_turns(frame) or frame.color_trc == ColorTrc.SMPTE2084:
            frame = VideoFrame.from_ndarray(self._scaler.picture(frame), "rgb24")
        return self._reformatter.reformat(
            frame, *self._size, format="yuv420p", interpolation=Interpolation.BILINEAR, threads=1
        )


def _fail(kind: type[AppError], text: str) -> None:
    _say({"failure": {"kind": kind.kind, "text": text}})


def _say(words: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
