"""The parent's end of the decoding child: start it, talk to it within a time limit, end it."""

import os
import select
import subprocess
import sys
from pathlib import Path
from time import monotonic

PROGRAM = "worker.video.child"
ROOT = Path(__file__).parents[2]  # from where the program can be imported
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
LONGEST_COMPLAINT = 1 << 14  # bytes
SECONDS_TO_DIE = 5


class ChildProcess:
    """A running child. Reading raises EOFError when it has ended, TimeoutError when it's late."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # it may write to no file, so not to a log either
            cwd=ROOT,
            env=ENVIRONMENT,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._requests = self._process.stdin
        self._answers = self._process.stdout
        self._complaints = self._process.stderr

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, request: bytes) -> None:
        try:
            view = memoryview(request)
            while view:
                view = view[os.write(self._requests.fileno(), view) :]
        except BrokenPipeError:
            raise EOFError from None

    def read(self, length: int, deadline: float) -> bytes:
        buffer = bytearray(length)
        self.fill(memoryview(buffer), deadline)
        return bytes(buffer)

    def fill(self, view: memoryview, deadline: float) -> None:
        """Read exactly as many bytes as the view has. `deadline` is a `monotonic` time."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        while view:
            left = deadline - monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise TimeoutError
            count = os.readv(self._answers.fileno(), [view])
            if count == 0:
                raise EOFError
            view = view[count:]

    def status(self) -> int:
        """Return how the child ended, negative for a signal, once its pipe has closed."""
        try:
            return self._process.wait(SECONDS_TO_DIE)
        except subprocess.TimeoutExpired:  # it closed the pipe and lives on
            self._process.kill()
            return self._process.wait()

    def last_words(self) -> str:
        """Return what the child complained of, after its end."""
        os.set_blocking(self._complaints.fileno(), False)
        return (self._complaints.read(LONGEST_COMPLAINT) or b"").decode(errors="replace")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._answers, self._complaints):
            pipe.close()
