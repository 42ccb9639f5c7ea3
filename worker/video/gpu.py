"""Decoders on the GPU (NVDEC), lent to the threads of a worker; the CPU does whatever they can't.

Which of the two decodes changes no picture of a sound file. Nothing that goes wrong on the GPU
fails a window: the CPU decodes it again, and judges the file.
"""

import logging
import math
import os
import select
import socket
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import IO

from models.errors import AppError, BadFile, TimedOut, WorkerLost
from settings import Settings
from worker.video.decoder import Clock, Decoder, Sampled, opened
from worker.video.process import (
    LONGEST_COMPLAINT,
    SECONDS_TO_DIE,
    Channel,
    start,
)
from worker.video.protocol import READY
from worker.video.tables import Identity, SharedTables

PROGRAM = "worker.video.gpu_child"
BYTES_FOR_ALL = 600_000_000  # of the GPU's memory: the process's context
BYTES_FOR_EACH = (
    65_000_000  # ... a decoder of 1080p, measured; one of 2160p takes about 4 times that
)
_DRIVER_VARIABLES = ("CUDA_", "NVIDIA_", "LD_LIBRARY_PATH")
_PATIENCE_S = 60.0  # with a driver that wakes up
_REST_S = 60.0  # after the process has ended, before another is started
_FILES_BARRED = 1000
_BARRED_S = 600.0  # for a file that it couldn't decode: its memory may have been short
_LONGEST_LINE = 1000  # characters of a complaint
_MOST_COMPLAINTS = 100  # told of one process

log = logging.getLogger(__name__)


class NoGpuDecoder(Exception):
    """The GPU's decoders can't be used; the text says why."""


class GpuDecoders:
    """At most `count` files are decoded on the GPU at once. Serves any number of threads."""

    def __init__(
        self,
        count: int,
        window_seconds: float = 120.0,
        tables: SharedTables | None = None,
        program: Sequence[str] = (PROGRAM,),
    ) -> None:
        """Raises NoGpuDecoder. The process that is started ends with the calling thread."""
        self._command = (sys.executable, "-m", *program, str(count))
        self._process = _GpuProcess(self._command)
        self._rests_until: float | None = None  # monotonic time; None: it has not died
        self._lock = threading.Lock()
        self._barred: OrderedDict[Identity, float] = OrderedDict()  # until then: monotonic time
        self._idle = [Decoder(window_seconds, tables, self._connect) for _ in range(count)]

    def sample(
        self,
        otherwise: Decoder,
        path: Path,
        clock: Clock,
        windows: Sequence[Sequence[Fraction]],
        slot: Fraction,
        size: tuple[int, int],
    ) -> Iterator[Sampled]:
        """Yield as Decoder.sample() does; `otherwise` does what no decoder of the GPU is free or fit for."""
        done = 0
        with self._lent(path, clock) as decoder:
            if decoder is not None:
                try:
                    for sampled in decoder.sample(path, clock, windows, slot, size):
                        done += 1
                        yield sampled
                except AppError as failure:
                    self._note(failure, path, clock)
        if done < len(windows):
            yield from otherwise.sample(path, clock, windows[done:], slot, size)

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        for decoder in self._idle:
            decoder.close()
        self._process.close()

    @contextmanager
    def _lent(self, path: Path, clock: Clock) -> Iterator[Decoder | None]:
        identity = _identity(path, clock)
        decoder = None
        if identity is not None and self._is_up():
            with self._lock:
                if self._idle and self._barred.get(identity, 0.0) <= monotonic():
                    decoder = self._idle.pop()
        try:
            yield decoder
        finally:
            if decoder is not None:
                with self._lock:
                    self._idle.append(decoder)

    def _is_up(self) -> bool:
        """Tell whether the process lives; start another one if it died a while ago.

        Who starts it waits for it, the others don't.
        """
        with self._lock:
            if self._process.alive():
                return True
            if self._rests_until is None:
                self._rests_until = monotonic() + _REST_S
                log.warning("decoding on the GPU ended, the CPU goes on")
            if monotonic() < self._rests_until:
                return False
            self._rests_until = monotonic() + _PATIENCE_S + _REST_S
        self._process.close()
        try:
            process = _GpuProcess(self._command)
        except NoGpuDecoder as error:
            log.warning("no decoding on the GPU reason=%s", error)
            return False
        with self._lock:
            self._process, self._rests_until = process, None
        return True

    def _connect(self) -> Channel:
        try:
            return self._process.connect()
        except OSError as error:
            raise WorkerLost(f"The GPU's decoder is gone: {error.strerror}.") from None

    def _note(self, failure: AppError, path: Path, clock: Clock) -> None:
        """Leave the file to the CPU: for a while, or for good if it may be what ends the process."""
        log.info("the CPU decodes instead of the GPU file=%s reason=%s", path.name, failure)
        if self._process.is_given_up:  # with another file
            return
        if isinstance(failure, TimedOut):
            self._process.give_up()  # who hangs once would hang again
        fatal = isinstance(failure, (TimedOut, WorkerLost))
        if (identity := _identity(path, clock)) is not None:
            with self._lock:
                self._barred[identity] = math.inf if fatal else monotonic() + _BARRED_S
                while len(self._barred) > _FILES_BARRED:
                    self._barred.popitem(last=False)


def open_gpu_decoders(settings: Settings, tables: SharedTables) -> GpuDecoders | None:
    """Start as many as the settings ask for, if they ask for any and there is what decodes them."""
    if not settings.gpu_decoders:
        return None
    try:
        return GpuDecoders(settings.gpu_decoders, settings.call_timeout_seconds, tables)
    except NoGpuDecoder as error:
        log.warning("no decoding on the GPU, the CPU decodes reason=%s", error)
        return None


def reserved_bytes(settings: Settings) -> int:
    """Return what the decoders that are asked for take of the GPU's memory."""
    count = settings.gpu_decoders
    return BYTES_FOR_ALL + count * BYTES_FOR_EACH if count else 0


class _GpuProcess:
    """The child that decodes on the GPU; each decoder has a connection of its own to it."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it and wait until it is ready. Raises NoGpuDecoder."""
        self.is_given_up = False
        self.last_words = ""
        self._complaints_told = 0
        self._waiter: threading.Thread | None = None  # for the end of one that no kill ends
        self._control, theirs = socket.socketpair()
        try:
            with theirs:
                self._process, self._words, complaints = start(command, theirs, _driver_variables())
        except OSError as error:
            self._control.close()
            raise NoGpuDecoder(f"its process did not start: {error.strerror}") from None
        self._listener = threading.Thread(target=self._listen, args=(complaints,), daemon=True)
        self._listener.start()
        ready, _, _ = select.select([self._words], [], [], _PATIENCE_S)
        if not ready:
            self.close()
            raise NoGpuDecoder(f"its process was not ready within {_PATIENCE_S:.0f} s")
        if self._words.read(len(READY)) != READY:
            status = self.status()
            self.close()
            raise NoGpuDecoder(self.last_words or f"its process ended with status {status}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None and not self.is_given_up

    def status(self) -> int:
        """Return how it ended, negative for a signal; 0 if it goes on without the one who asks."""
        try:
            return self._process.wait(SECONDS_TO_DIE)
        except subprocess.TimeoutExpired:
            return 0

    def connect(self) -> Channel:
        """Raises OSError."""
        mine, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"\0"], [theirs.fileno()])
        return _Connection(self, mine)

    def give_up(self) -> None:
        """End it, though most of those whom it serves have no part in that."""
        self.is_given_up = True
        self._process.kill()

    def close(self) -> None:
        """End it. Nobody here waits for one that its driver holds, though it was killed."""
        self._process.kill()
        try:
            self._process.wait(SECONDS_TO_DIE)
        except subprocess.TimeoutExpired:
            if self._waiter is None:
                self._waiter = threading.Thread(target=self._process.wait, daemon=True)
                self._waiter.start()
        self._listener.join(SECONDS_TO_DIE)
        self._control.close()
        self._words.close()

    def _listen(self, complaints: IO[bytes]) -> None:
        """Read what it complains of, so that it never waits for us; tell the end of each piece."""
        with complaints:
            while piece := os.read(complaints.fileno(), LONGEST_COMPLAINT):
                lines = piece.decode(errors="replace").strip().splitlines() or [""]
                self.last_words = lines[-1][:_LONGEST_LINE]
                if self._complaints_told < _MOST_COMPLAINTS:
                    self._complaints_told += 1
                    log.warning("the GPU's decoder complains text=%s", self.last_words)


class _Connection(Channel):
    """One decoder's way to the process that all share."""

    def __init__(self, process: _GpuProcess, connection: socket.socket) -> None:
        super().__init__(connection, connection, None)
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.alive()

    def status(self) -> int:
        return self._process.status()

    def last_words(self) -> str:
        return self._process.last_words


def _identity(path: Path, clock: Clock) -> Identity | None:
    """Return what tells the file from others; None if it can't be opened."""
    with suppress(BadFile), opened(path) as descriptor:
        return Identity.of(descriptor, clock.stream_index)
    return None


def _driver_variables() -> dict[str, str]:
    """Return which GPU is ours, and where its driver lies."""
    return {name: value for name, value in os.environ.items() if name.startswith(_DRIVER_VARIABLES)}
