"""The parent's end of a decoding child: start it, talk to it within a time limit, end it."""

import os
import select
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import IO

from worker.video.protocol import REQUEST

PROGRAM = "worker.video.child"
ROOT = Path(__file__).parents[2]  # from where the program can be imported
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
LONGEST_COMPLAINT = 1 << 14  # bytes
SECONDS_TO_DIE = 5


def start(
    command: Sequence[str],
    requests: socket.socket,
    more_environment: Mapping[str, str] | None = None,
) -> tuple["subprocess.Popen[bytes]", IO[bytes], IO[bytes]]:
    """Start a child; return it, and where it answers and complains.

    It may write to no file, so not to a log either.
    """
    child = subprocess.Popen(
        command,
        stdin=requests.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**ENVIRONMENT, **(more_environment or {})},
        start_new_session=True,
        bufsize=0,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    return child, child.stdout, child.stderr


class Channel(ABC):
    """A way to a running child. Reading raises EOFError when it has ended, TimeoutError when it's late."""

    def __init__(
        self,
        requests: socket.socket,
        answers: IO[bytes] | socket.socket,
        complaints: IO[bytes] | None,
    ) -> None:
        """`complaints`: what the child writes to its standard error, if this is its only channel."""
        self._requests, self._answers, self._complaints = requests, answers, complaints
        self._requests.setblocking(False)  # a child that hangs takes nothing
        self._last_words = b""

    @property
    @abstractmethod
    def pid(self) -> int: ...

    @abstractmethod
    def alive(self) -> bool: ...

    @abstractmethod
    def status(self) -> int:
        """Return how the child ended, negative for a signal, once it has hung up."""

    @abstractmethod
    def last_words(self) -> str:
        """Return what the child complained of, after its end."""

    def send(self, request: bytes, descriptor: int, deadline: float, table: bytes = b"") -> None:
        """Ask; the open file goes along, for the child can open none. `deadline`: `monotonic` time."""
        try:
            lengths = REQUEST.pack(len(request), len(table))
            self._wait(self._requests, select.POLLOUT, deadline)
            socket.send_fds(self._requests, [lengths], [descriptor])
            for part in (request, table):
                view = memoryview(part)
                while view:
                    self._wait(self._requests, select.POLLOUT, deadline)
                    view = view[self._requests.send(view) :]
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None

    def read(self, length: int, deadline: float) -> bytes:
        buffer = bytearray(length)
        self.fill(memoryview(buffer), deadline)
        return bytes(buffer)

    def fill(self, view: memoryview, deadline: float) -> None:
        """Read exactly as many bytes as the view has. `deadline` is a `monotonic` time."""
        while view:
            self._wait(self._answers, select.POLLIN, deadline)
            try:
                count = os.readv(self._answers.fileno(), [view])
            except ConnectionResetError:
                count = 0
            if count == 0:
                raise EOFError
            view = view[count:]

    def close(self) -> None:
        for pipe in (self._requests, self._answers):
            pipe.close()

    def _wait(self, stream: socket.socket | IO[bytes], event: int, deadline: float) -> None:
        """Wait for the stream, and read meanwhile what the child complains of: it must never wait for us."""
        poll = select.poll()
        poll.register(stream, event)
        if self._complaints is not None:
            poll.register(self._complaints, select.POLLIN)
        while (left := deadline - monotonic()) > 0:
            ready = {number for number, _ in poll.poll(left * 1000)}
            complaints = self._complaints
            if complaints and complaints.fileno() in ready and not self._listen():
                poll.unregister(complaints)
            if stream.fileno() in ready:
                return
        raise TimeoutError

    def _listen(self) -> bool:
        """Read a piece of what the child complains of; tell whether there was any."""
        piece = self._complaints.read(LONGEST_COMPLAINT) if self._complaints is not None else None
        self._last_words = (self._last_words + (piece or b""))[-LONGEST_COMPLAINT:]
        return bool(piece)


class ChildProcess(Channel):
    """A child for one decoder."""

    def __init__(self) -> None:
        requests, theirs = socket.socketpair()
        with theirs:
            command = (sys.executable, "-m", PROGRAM)
            self._process, answers, complaints = start(command, theirs)
        os.set_blocking(complaints.fileno(), False)
        super().__init__(requests, answers, complaints)

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def status(self) -> int:
        try:
            return self._process.wait(SECONDS_TO_DIE)
        except subprocess.TimeoutExpired:  # it closed the pipe and lives on
            self._process.kill()
            return self._process.wait()

    def last_words(self) -> str:
        while self._listen():
            pass
        return self._last_words.decode(errors="replace")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        super().close()
        if self._complaints is not None:
            self._complaints.close()
