"""Learn what a file holds from a child process that reads it, so that no file can harm this one."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from models.errors import FAILURES, AppError, BadFile, InternalError, OutOfMemory, TimedOut
from models.videos import VideoFacts

PROGRAM = "worker.video.probe"
ROOT = Path(__file__).parents[1]  # from where the program can be imported
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
SECONDS = 180
SLOW_DISK = 20e6  # bytes a second: the whole file is read
LONGEST_ANSWER = 1 << 20  # bytes
LONGEST_COMPLAINT = 1 << 14
KILLED = -signal.SIGKILL
NO_ANSWER = "{name} could not be read: the reader gave no proper answer."


def probe(path: Path, name: str) -> VideoFacts:
    """Return what the file holds. `name` is what the person calls it; it is used in words only.

    Raises the AppError that fits, its sentence naming the file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would block
    except OSError as error:
        raise BadFile(f"{name} can't be opened: {error.strerror}.") from None
    try:
        answer = _ask(descriptor, name)
    finally:
        os.close(descriptor)
    failure = answer.get("failure")
    try:
        if failure is None:
            return VideoFacts.from_json(answer["facts"])
        refusal = FAILURES[failure["kind"]](f"{name} {failure['text']}")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InternalError(NO_ANSWER.format(name=name)) from None
    raise refusal


def _ask(descriptor: int, name: str) -> dict[str, Any]:
    process = subprocess.Popen(
        [sys.executable, "-m", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,  # it may write to no file, so not to a log either
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
        pass_fds=(descriptor,),  # the only file that it can read
        bufsize=0,
    )
    seconds = SECONDS + os.fstat(descriptor).st_size / SLOW_DISK
    with process:
        try:
            output = _exchange(process, json.dumps({"descriptor": descriptor}).encode(), seconds)
        except TimeoutError:
            raise TimedOut(
                f"{name} could not be read within {seconds / 60:.0f} minutes. It may be damaged: "
                "try a copy that was re-encoded."
            ) from None
        finally:
            process.kill()
        assert process.stderr is not None
        complaint = process.stderr.read(LONGEST_COMPLAINT).decode(errors="replace")
    if len(output) >= LONGEST_ANSWER:  # it was ended in the middle of it
        raise InternalError(NO_ANSWER.format(name=name))
    if process.returncode != 0:
        raise _death(process.returncode, name) from RuntimeError(complaint)
    return _parse(output, name)


def _exchange(process: subprocess.Popen[bytes], request: bytes, seconds: float) -> bytes:
    """Send the request, return all that comes back, at most LONGEST_ANSWER. Raises TimeoutError."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)  # shorter than a pipe's buffer
    process.stdin.close()
    deadline = monotonic() + seconds
    output = b""
    while len(output) < LONGEST_ANSWER:
        left = deadline - monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise TimeoutError
        piece = os.read(process.stdout.fileno(), 1 << 16)
        if not piece:
            process.wait(max(deadline - monotonic(), 1))
            break
        output += piece
    return output


def _death(status: int, name: str) -> AppError:
    if status == KILLED:
        return OutOfMemory(
            f"{name} could not be read: the system ended the reader, probably because memory ran "
            "out. Try again when the machine is less busy."
        )
    if status == -signal.SIGXCPU:
        return TimedOut(f"{name} takes too long to read. It may be damaged: try a re-encoded copy.")
    if status < 0:
        return BadFile(
            f"{name} made the reader crash ({signal.Signals(-status).name}): the file is probably "
            "damaged. Try a re-encoded copy."
        )
    return InternalError(f"{name} could not be read: the reader failed with status {status}.")


def _parse(output: bytes, name: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError:
        raise InternalError(NO_ANSWER.format(name=name)) from None
    return answer if isinstance(answer, dict) else {}
