"""Learn what a file holds from a child process that reads it, so that no file can harm this one."""

import os
from pathlib import Path

from models.errors import FAILURES, BadFile, InternalError, TimedOut
from models.facts import VideoFacts
from web.child import Died, ask, failure_of

PROGRAM = "worker.video.probe"
SECONDS = 180


def probe(path: Path, name: str) -> VideoFacts:
    """Return what the file holds. `name` is what the person calls it; it is used in words only.

    Raises the AppError that fits, its sentence naming the file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would block
    except OSError as error:
        raise BadFile(f"{name} can't be opened: {error.strerror}.") from None
    try:
        answer = ask(PROGRAM, {}, {"descriptor": descriptor}, SECONDS)
    except TimeoutError:
        raise TimedOut(
            f"{name} could not be read within some minutes. It may be damaged: try a copy that was "
            "re-encoded."
        ) from None
    except Died as death:
        raise failure_of(death, name, "read") from death
    finally:
        os.close(descriptor)
    failure = answer.get("failure")
    try:
        if failure is None:
            return VideoFacts.from_json(answer["facts"])
        refusal = FAILURES[failure["kind"]](f"{name} {failure['text']}")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InternalError(
            f"{name} could not be read: the reader gave no proper answer."
        ) from None
    raise refusal
