"""Run a rendering child, hear how far it is, and end it when it is late or no longer wanted."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from models.errors import (
    FAILURES,
    AppError,
    BadFile,
    DiskFull,
    InternalError,
    OutOfMemory,
    TimedOut,
)

ROOT = Path(__file__).parents[2]  # from where the programs can be imported
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
STALL_SECONDS = 120  # without a word from the child, which speaks twice a second once it has begun
SLOW_DISK = 20e6  # bytes a second: the whole video is read before it begins
LONGEST_SECONDS = 24 * 3600
LONGEST_LINE = 1 << 16  # bytes
HEARTBEAT_SECONDS = 1.0

_KINDS = {**FAILURES, DiskFull.kind: DiskFull}


class Unwanted(Exception):
    """Nobody waits for it any more."""


def run(
    program: str,
    request: Mapping[str, Any],
    files: Mapping[str, int],
    name: str,
    heard: Callable[[float], bool],
) -> list[str]:
    """Run the program with these open files and return its notes.

    `heard` is told the share that is done, every second at least, and answers whether to go on. `name` is what the person calls the video.
    Raises the AppError that fits, its sentence naming the video, or Unwanted.
    """
    patience = STALL_SECONDS + sum(os.fstat(file).st_size for file in files.values()) / SLOW_DISK
    with tempfile.TemporaryFile() as words:
        words.write(json.dumps({**request, **files}).encode())
        words.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", program],
            stdin=words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=ENVIRONMENT,
            start_new_session=True,
            pass_fds=tuple(files.values()),
            bufsize=0,
        )
    with process:
        try:
            return _listen(_answers(process, patience), name, heard)
        except TimeoutError:
            raise TimedOut(f"{name} took too long and was given up. Try again.") from None
        except EOFError:
            assert process.stderr is not None
            complaint = process.stderr.read(LONGEST_LINE).decode(errors="replace")
            raise _death(process.wait(), name) from RuntimeError(complaint)
        finally:
            process.kill()


def _listen(
    answers: Iterator[dict[str, Any]], name: str, heard: Callable[[float], bool]
) -> list[str]:
    progress = 0.0
    for answer in answers:
        if "failure" in answer:
            kind, text = answer["failure"]["kind"], answer["failure"]["text"]
            raise _KINDS.get(kind, InternalError)(f"{name} {text}")
        if answer.get("done"):
            return [str(note) for note in answer["notes"]]
        progress = float(answer.get("progress", progress))
        if not heard(progress):
            raise Unwanted
    raise EOFError


def _answers(process: "subprocess.Popen[bytes]", patience: float) -> Iterator[dict[str, Any]]:
    """Yield what the child says, and {} after a second of silence. Raises TimeoutError, EOFError."""
    assert process.stdout is not None
    begun = spoken = monotonic()
    pending = b""
    while True:
        line, ended, rest = pending.partition(b"\n")
        if ended:
            pending, spoken, patience = rest, monotonic(), min(patience, STALL_SECONDS)
            answer = json.loads(line)
            yield answer if isinstance(answer, dict) else {}
            continue
        if monotonic() - spoken > patience or monotonic() - begun > LONGEST_SECONDS:
            raise TimeoutError
        if not select.select([process.stdout], [], [], HEARTBEAT_SECONDS)[0]:
            yield {}
            continue
        piece = os.read(process.stdout.fileno(), LONGEST_LINE)
        if not piece or len(pending) > LONGEST_LINE:
            raise EOFError
        pending += piece


def _death(status: int, name: str) -> AppError:
    if status == -signal.SIGKILL:
        return OutOfMemory(
            f"{name} could not be rendered: the system ended the program, probably because memory ran "
            "out. Try again when the machine is less busy."
        )
    if status < 0:
        return BadFile(
            f"{name} made the program crash ({signal.Signals(-status).name}): the file may be damaged."
        )
    return InternalError(f"{name} could not be rendered: the program failed with status {status}.")
