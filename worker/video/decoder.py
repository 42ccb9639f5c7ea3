"""Frames of video files, decoded by a child process that may die without harm."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from models.errors import (
    FAILURES,
    AppError,
    BadFile,
    InternalError,
    OutOfMemory,
    TimedOut,
    WorkerLost,
)
from worker.commentator import Frame
from worker.video.hearing import RATE, Samples
from worker.video.process import Channel, ChildProcess
from worker.video.protocol import (
    DONE,
    FAILURE,
    FRAME,
    HEADER,
    LONGEST_FAILURE,
    MILLISECONDS,
    PTS,
    SOUND,
    TABLE,
    WINDOW,
)
from worker.video.tables import MOST_BYTES, Identity, SharedTables

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
    decode_ms: float  # in the child, without its waiting, for us or for a turn


class Decoder:
    """Samples frames in a child process, which is started on demand and lives until `close`.

    For one thread at a time.
    """

    def __init__(
        self,
        window_seconds: float = 120.0,
        tables: SharedTables | None = None,
        connect: Callable[[], Channel] = ChildProcess,
    ) -> None:
        """`window_seconds`: a child that takes longer for one window is ended; `connect` raises AppErrors."""
        self._window_seconds = window_seconds
        self._tables = tables or SharedTables()
        self._connect = connect
        self._child: Channel | None = None
        self._learned: Identity | None = None  # the last file whose table the child has

    @property
    def child_pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child. The decoder may be used again."""
        if self._child is not None:
            self._child.close()
            self._child = self._learned = None

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
        left = len(windows)
        try:
            with opened(path) as descriptor:
                self._teach(child, descriptor, clock.stream_index)
                deadline = self._deadline(descriptor)
                child.send(_request(clock, windows, slot, size), descriptor, deadline)
            for at in windows:
                sampled = self._receive_window(child, clock, size, len(at), deadline)
                if left == 1:  # before it is handed out: who has the last may not ask for more
                    self._receive_end(child)
                left -= 1
                yield sampled
                deadline = monotonic() + self._window_seconds
        except TimeoutError:
            raise TimedOut(
                f"Decoding {_span(at)} took longer than {self._window_seconds:.0f} s and was "
                "stopped. The file may be damaged there: retry, or upload a re-encoded copy."
            ) from None
        except EOFError:
            raise _loss(child, at) from RuntimeError(child.last_words())
        finally:
            if left:
                self.close()  # whatever is still in the pipe is not for the next caller

    def hear(self, path: Path, origin: Fraction, start: Fraction, end: Fraction) -> Samples:
        """Return the sound from `start` to `end` (seconds from `origin` by the file's clock); see hearing.py.

        Raises as sample().
        """
        child = self._running_child()
        values = {"origin": str(origin), "start": str(start), "end": str(end)}
        is_whole = False
        try:
            with opened(path) as descriptor:
                deadline = self._deadline(descriptor)
                child.send(_words("hear", values), descriptor, deadline)
            kind, length = _receive_header(child, deadline)
            sound = np.empty(round((end - start) * RATE), np.int16)
            _expect(kind, length, SOUND, sound.nbytes)
            child.fill(sound.data.cast("B"), deadline)
            is_whole = True
            return sound
        except TimeoutError:
            raise TimedOut(
                f"Decoding the sound of {_span([start, end])} took longer than "
                f"{self._window_seconds:.0f} s and was stopped."
            ) from None
        except EOFError:
            raise _loss(child, [start, end]) from RuntimeError(child.last_words())
        finally:
            if not is_whole:
                self.close()

    def _running_child(self) -> Channel:
        if self._child is None or not self._child.alive():
            self.close()
            self._child = self._connect()
        return self._child

    def _teach(self, child: Channel, descriptor: int, stream_index: int) -> None:
        """See that the child knows the file's packet table, from another child if one has read it."""
        identity = Identity.of(descriptor, stream_index)
        if identity == self._learned:
            return
        own: list[bytes] = []

        def read() -> bytes:
            own.append(self._read_table(child, descriptor, stream_index))
            return own[0]

        table = self._tables.obtain(identity, read)
        if table and not own:
            words = _words("learn", {"identity": asdict(identity)})
            child.send(words, descriptor, self._deadline(descriptor), table)
        self._learned = identity

    def _read_table(self, child: Channel, descriptor: int, stream_index: int) -> bytes:
        """Return what the child says is the packed table: for other children to check, not for us."""
        deadline = self._deadline(descriptor)
        child.send(_words("read", {"stream_index": stream_index}), descriptor, deadline)
        kind, length = _receive_header(child, deadline)
        _expect(kind, length, TABLE, min(length, MOST_BYTES))
        return child.read(length, deadline)

    def _deadline(self, descriptor: int) -> float:
        """Allow for a slow disk: the packet table needs the whole file."""
        return monotonic() + self._window_seconds + os.fstat(descriptor).st_size / SLOW_DISK

    def _receive_window(
        self,
        child: Channel,
        clock: Clock,
        size: tuple[int, int],
        most: int,
        deadline: float,
    ) -> Sampled:
        """Read at most `most` frames and the window's end."""
        frames: list[Frame] = []
        while True:
            kind, length = _receive_header(child, deadline)
            if (kind, length) == (WINDOW, MILLISECONDS.size):
                (decode_ms,) = MILLISECONDS.unpack(child.read(length, deadline))
                return Sampled(tuple(frames), decode_ms)
            _expect(
                kind,
                length,
                FRAME if len(frames) < most else WINDOW,
                PTS.size + size[0] * size[1] * 3,
            )
            (pts,) = PTS.unpack(child.read(PTS.size, deadline))
            picture = np.empty((size[1], size[0], 3), dtype=np.uint8)
            child.fill(picture.data.cast("B"), deadline)
            frames.append(Frame(pts, (pts - clock.origin_pts) * clock.time_base, picture))

    def _receive_end(self, child: Channel) -> None:
        kind, length = _receive_header(child, monotonic() + self._window_seconds)
        _expect(kind, length, DONE, 0)


def _receive_header(child: Channel, deadline: float) -> tuple[bytes, int]:
    """Return the next message's kind and length. Raises the AppError that the child reports."""
    kind, length = HEADER.unpack(child.read(HEADER.size, deadline))
    if kind == FAILURE and length <= LONGEST_FAILURE:
        raise _told(child.read(length, deadline))
    return kind, length


def _told(failure: bytes) -> AppError:
    try:
        values = json.loads(failure)
        return FAILURES[values["kind"]](f"The video {values['text']}")
    except (ValueError, KeyError, TypeError, RecursionError):
        return InternalError("The video decoder failed and gave no proper reason.")


def _expect(kind: bytes, length: int, expected: bytes, expected_length: int) -> None:
    if (kind, length) != (expected, expected_length):
        raise InternalError(
            f"The video decoder gave an improper answer ({kind!r}, {length} bytes)."
        )


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Yield the file's descriptor. Raises BadFile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would block
    except FileNotFoundError:
        raise BadFile("The video is no longer in its place.") from None
    except OSError as error:
        raise BadFile(f"The video can't be opened: {error.strerror}.") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _request(
    clock: Clock,
    windows: Sequence[Sequence[Fraction]],
    slot: Fraction,
    size: tuple[int, int],
) -> bytes:
    ticks = [[str(clock.origin_pts + time / clock.time_base) for time in w] for w in windows]
    values = {
        "stream_index": clock.stream_index,
        "origin_pts": clock.origin_pts,
        "last_pts": clock.last_pts,
        "windows": ticks,
        "slot": str(slot / clock.time_base),
        "width": size[0],
        "height": size[1],
    }
    return _words("sample", values)


def _words(asks: str, values: dict[str, Any]) -> bytes:
    return json.dumps(values | {"asks": asks}).encode()


def _loss(child: Channel, times: Sequence[Fraction]) -> AppError:
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
