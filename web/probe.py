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


def probe(path: Path, name: str) -> VideoFacts:
    """Return what the file holds. `name` is what the person calls it; it is used in words only.

    Raises the AppError that fits, its sentence naming the file.
    """
    answer = _ask(path.absolute(), name)
    failure = answer.get("failure")
    if failure is not None:
        raise FAILURES[failure["kind"]](f"{name} {failure['text']}")
    return VideoFacts.from_json(answer["facts"])


def _ask(path: Path, name: str) -> dict[str, Any]:
    process = subprocess.Popen(
        [sys.executable, "-m", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,  # it may write to no file, so not to a log either
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
        bufsize=0,
    )
    seconds = SECONDS + _size(path) / SLOW_DISK
    with process:
        try:
            output = _exchange(process, json.dumps({"path": str(path)}).encode(), seconds)
        except TimeoutError:
            raise TimedOut(
                f"{name} could not be read within {seconds / 60:.0f} minutes. It may be damaged: "
                "try a copy that was re-encoded."
            ) from None
        finally:
            process.kill()
        assert process.stderr is not None
        complaint = process.stderr.read(LONGEST_COMPLAINT).decode(errors="replace")
    if process.returncode != 0:
        raise _death(process.returncode, name) from RuntimeError(complaint)
    return _parse(output, name)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0  # the reader says what is wrong with it


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
        raise InternalError(
            f"{name} could not be read: the reader gave no proper answer."
        ) from None
    return answer
