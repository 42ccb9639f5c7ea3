"""Frames of video files, decoded by a child process that may die without harm."""

import json
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic

import numpy as np

from models.errors import (
    FAILURES,
    AppError,
    InternalError,
    OutOfMemory,
    TimedOut,
    WorkerLost,
)
from worker.commentator import Frame
from worker.video.process import ChildProcess
from worker.video.protocol import (
    DONE,
    FAILURE,
    FRAME,
    HEADER,
    LONGEST_FAILURE,
    MILLISECONDS,
    PTS,
    WINDOW,
)

SLOW_DISK = 20e6  # bytes a second


@dataclass(frozen=True, slots=True)
class Clock:
    """How a stream counts time: from the video's row."""

    stream_index: int
    time_base: Fraction  # seconds per tick
    origin_pts: int  # ticks: time 0
    last_pts: int  # ticks: the last frame appears


@dataclass(frozen=True, slots=True)
class Sampled:
    """What was decoded for one window."""

    frames: tuple[Frame, ...]  # in order, each once; none if nothing decodes there
    decode_ms: float  # in the child, without its waiting for us


class Decoder:
    """Samples frames in a child process, which is started on demand and lives until `close`.

    For one thread at a time.
    """

    def __init__(self, window_seconds: float = 120.0) -> None:
        """`window_seconds`: a child that takes longer for one window is ended."""
        self._window_seconds = window_seconds
        self._child: ChildProcess | None = None

    @property
    def child_pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child. The decoder may be used again."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def sample(
        self,
        path: Path,
        clock: Clock,
        windows: Sequence[Sequence[Fraction]],
        slot: Fraction,
        size: tuple[int, int],
    ) -> Iterator[Sampled]:
        """Yield the frames of each window in turn, while the next ones are being decoded.

        `windows` holds the times (seconds) at which each window samples, `slot` the seconds between
        two of them, `size` (width, height) of the frames. A time gets the first frame at or after
        it that appears within the slot, else the one on display, among those that can be decoded.

        Raises BadFile and its like if the file can't be read, OutOfMemory, TimedOut, WorkerLost.
        """
        child = self._running_child()
        at: Sequence[Fraction] = ()
        finished = False
        try:
            child.send(_request(path, clock, windows, slot, size))
            deadline = monotonic() + self._window_seconds + _seconds_to_read(path)
            for at in windows:  # noqa: B007 (told by the errors below)
                yield self._receive_window(child, clock, size, deadline)
                deadline = monotonic() + self._window_seconds
            self._receive_end(child)
            finished = True
        except TimeoutError:
            raise TimedOut(
                f"Decoding {_span(at)} took longer than {self._window_seconds:.0f} s and was "
                "stopped. The file may be damaged there: retry, or upload a re-encoded copy."
            ) from None
        except EOFError:
            raise _loss(child, at) from RuntimeError(child.last_words())
        finally:
            if not finished:
                self.close()  # whatever is still in the pipe is not for the next caller

    def _running_child(self) -> ChildProcess:
        if self._child is None or not self._child.alive():
            self.close()
            self._child = ChildProcess()
        return self._child

    def _receive_window(
        self, child: ChildProcess, clock: Clock, size: tuple[int, int], deadline: float
    ) -> Sampled:
        frames: list[Frame] = []
        while True:
            kind, length = _receive_header(child, deadline)
            if (kind, length) == (WINDOW, MILLISECONDS.size):
                (decode_ms,) = MILLISECONDS.unpack(child.read(length, deadline))
                return Sampled(tuple(frames), decode_ms)
            _expect(kind, length, FRAME, PTS.size + size[0] * size[1] * 3)
            (pts,) = PTS.unpack(child.read(PTS.size, deadline))
            picture = np.empty((size[1], size[0], 3), dtype=np.uint8)
            child.fill(picture.data.cast("B"), deadline)
            frames.append(Frame(pts, (pts - clock.origin_pts) * clock.time_base, picture))

    def _receive_end(self, child: ChildProcess) -> None:
        kind, length = _receive_header(child, monotonic() + self._window_seconds)
        _expect(kind, length, DONE, 0)


def _seconds_to_read(path: Path) -> float:
    """Return how long a slow disk may take for the packet table, which needs the whole file."""
    return path.stat().st_size / SLOW_DISK if path.exists() else 0.0


def _receive_header(child: ChildProcess, deadline: float) -> tuple[bytes, int]:
    """Return the next message's kind and length. Raises the AppError that the child reports."""
    kind, length = HEADER.unpack(child.read(HEADER.size, deadline))
    if kind == FAILURE and length <= LONGEST_FAILURE:
        failure = json.loads(child.read(length, deadline))
        raise FAILURES[failure["kind"]](f"The video {failure['text']}")
    return kind, length


def _expect(kind: bytes, length: int, expected: bytes, expected_length: int) -> None:
    if (kind, length) != (expected, expected_length):
        raise InternalError(
            f"The video decoder gave an improper answer ({kind!r}, {length} bytes)."
        )


def _request(
    path: Path,
    clock: Clock,
    windows: Sequence[Sequence[Fraction]],
    slot: Fraction,
    size: tuple[int, int],
) -> bytes:
    ticks = [[str(clock.origin_pts + time / clock.time_base) for time in w] for w in windows]
    values = {
        "path": str(path.absolute()),
        "stream_index": clock.stream_index,
        "origin_pts": clock.origin_pts,
        "last_pts": clock.last_pts,
        "windows": ticks,
        "slot": str(slot / clock.time_base),
        "width": size[0],
        "height": size[1],
    }
    return json.dumps(values).encode() + b"\n"


def _loss(child: ChildProcess, times: Sequence[Fraction]) -> AppError:
    status = child.status()
    if status == -signal.SIGKILL:
        return OutOfMemory(
            f"The system ended the video decoder at {_span(times)}, probably because memory ran "
            "out. Retry when the machine is less busy."
        )
    how = f"signal {-status} ({signal.Signals(-status).name})" if status < 0 else f"status {status}"
    return WorkerLost(
        f"The video decoder ended with {how} at {_span(times)}. The file may be damaged there: "
        "retry, or upload a re-encoded copy."
    )


def _span(times: Sequence[Fraction]) -> str:
    if not times:
        return "the start of the video"
    return f"{float(times[0]):.1f}–{float(times[-1]):.1f} s of the video"
