"""Starts the child programs that open people's files or speak, hears them and ends them.

They are of the package `worker` and started by name, never imported, so that no file can harm this process: a child gets its
request as JSON on standard input and files by number, already open, and may be late, loud, wrong or killed.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any

from models.errors import (
    FAILURES,
    AppError,
    BadFile,
    DiskFull,
    InternalError,
    OutOfMemory,
    TimedOut,
)

LONGEST_ANSWER = 1 << 20  # bytes
_ROOT = Path(__file__).parents[1]  # from where the programs can be imported
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
_SLOW_DISK = 20e6  # bytes a second: all of its files is read before a child begins
_STALL_SECONDS = 120  # without a word from a child that speaks twice a second once it has begun
_LONGEST_SECONDS = 24 * 3600
_LONGEST_LINE = 1 << 16  # bytes
_HEARTBEAT_SECONDS = 1.0

_KINDS = {**FAILURES, DiskFull.kind: DiskFull}


class Died(Exception):
    """The child ended before its answer: `status` as Popen tells it, and what it complained of."""

    def __init__(self, status: int, complaint: str) -> None:
        super().__init__(complaint)
        self.status = status


class Unwanted(Exception):
    """Nobody waits for it any more."""


def ask(
    program: str, request: Mapping[str, Any], files: Mapping[str, int], seconds: float
) -> dict[str, Any]:
    """Run the program with these open files and return its one answer, {} if that isn't a JSON object.

    It may take so long, and as much longer as its files take to be read. Raises TimeoutError and Died.
    """
    deadline = monotonic() + _patience(seconds, files)
    said = b""
    with _started(program, request, files) as (process, complaint):
        assert process.stdout is not None
        while len(said) < LONGEST_ANSWER:
            left = deadline - monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise TimeoutError
            piece = os.read(process.stdout.fileno(), _LONGEST_LINE)
            if not piece:
                break
            said += piece
        else:
            return {}  # and end it in the middle of its answer
        if death := _death_of(process, complaint, max(deadline - monotonic(), 1)):
            raise death
    return _object(said)


def run(
    program: str,
    request: Mapping[str, Any],
    files: Mapping[str, int],
    name: str,
    deed: str,
    heard: Callable[[float], bool],
) -> dict[str, Any]:
    """Run a program that tells how far it is, and return its last answer, the one with "done".

    `heard` is told the share that is done, every second at least, and answers whether to go on. `name` is what the person calls
    the video, `deed` what is done to it ("rendered"). Raises the AppError that fits, its sentence naming the video, or Unwanted.
    """
    progress = 0.0
    try:
        with _started(program, request, files) as (process, complaint):
            for answer in _answers(process, _patience(_STALL_SECONDS, files)):
                if "failure" in answer:
                    kind, text = answer["failure"]["kind"], answer["failure"]["text"]
                    raise _KINDS.get(kind, InternalError)(f"{name} {text}")
                if answer.get("done"):
                    return answer
                progress = float(answer.get("progress", progress))
                if not heard(progress):
                    raise Unwanted
            raise _death_of(process, complaint, 1) or Died(0, "it ended without an answer")
    except TimeoutError:
        raise TimedOut(
            f"{name} took too long to be {deed} and was given up. It may be damaged."
        ) from None
    except Died as death:
        raise failure_of(death, name, deed) from death


def failure_of(death: Died, name: str, deed: str) -> AppError:
    """Say what a child's end means for who asked to have the file read, converted or rendered."""
    status = death.status
    if status == -signal.SIGKILL:
        return OutOfMemory(
            f"{name} could not be {deed}: the system ended the program that does it, probably because "
            "memory ran out. Try again when the machine is less busy."
        )
    if status == -signal.SIGXCPU:
        return TimedOut(
            f"{name} takes too long to be {deed}. It may be damaged: try a re-encoded copy."
        )
    if status < 0:
        return BadFile(
            f"{name} could not be {deed}: it made the program that does it crash "
            f"({signal.Signals(-status).name}), so it is probably damaged. Try a re-encoded copy."
        )
    return InternalError(f"{name} could not be {deed}: the program failed with status {status}.")


@contextmanager
def _started(
    program: str, request: Mapping[str, Any], files: Mapping[str, int]
) -> Iterator[tuple["subprocess.Popen[bytes]", "_Complaint"]]:
    """Start a program that can open nothing of this process but these files; it ends with the block."""
    with tempfile.TemporaryFile() as words:  # a pipe may be shorter than what is asked
        words.write(json.dumps({**request, **files}).encode())
        words.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", program],
            stdin=words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # it may write to no file, so not to a log either
            cwd=_ROOT,
            env=_ENVIRONMENT,
            start_new_session=True,
            pass_fds=tuple(files.values()),
            bufsize=0,
        )
    assert process.stderr is not None
    complaint, process.stderr = _Complaint(process.stderr), None
    with process:
        try:
            yield process, complaint
        finally:
            process.kill()


class _Complaint:
    """What a child writes to its standard error: all is read, so that it never waits for us; the beginning is kept."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._kept = stream, bytearray()
        self._thread = threading.Thread(target=self._read, name="complaint", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            while piece := self._stream.read(_LONGEST_LINE):
                self._kept += piece[: _LONGEST_LINE - len(self._kept)]

    def text(self) -> str:
        """Return it after the child's end; who it has started may live on and say more."""
        self._thread.join(1)
        return self._kept.decode(errors="replace")


def _answers(process: "subprocess.Popen[bytes]", patience: float) -> Iterator[dict[str, Any]]:
    """Yield what the child says, a JSON object to a line, and {} after a second of silence, until it falls silent for good.

    Raises TimeoutError and Died.
    """
    assert process.stdout is not None
    begun = spoken = monotonic()
    pending = b""
    while len(pending) <= _LONGEST_LINE:
        line, ended, rest = pending.partition(b"\n")
        if ended:
            pending, spoken, patience = rest, monotonic(), min(patience, _STALL_SECONDS)
            yield _object(line)
            continue
        if monotonic() - spoken > patience or monotonic() - begun > _LONGEST_SECONDS:
            raise TimeoutError
        if not select.select([process.stdout], [], [], _HEARTBEAT_SECONDS)[0]:
            yield {}
            continue
        piece = os.read(process.stdout.fileno(), _LONGEST_LINE)
        if not piece:
            return
        pending += piece
    raise Died(0, "it said too much in one line")


def _death_of(
    process: "subprocess.Popen[bytes]", complaint: _Complaint, seconds: float
) -> Died | None:
    """Wait for the end of a child that has closed its output; None if all was well. Raises TimeoutError."""
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return Died(status, complaint.text()) if status else None


def _patience(seconds: float, files: Mapping[str, int]) -> float:
    return seconds + sum(os.fstat(file).st_size for file in files.values()) / _SLOW_DISK


def _object(said: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
