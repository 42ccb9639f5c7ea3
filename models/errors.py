"""What can go wrong in a way that a person can act on.

    AppError
    ├── BadFile             bad-file        the file can't be read as a video
    ├── NoVideo             no-video        the file holds no pictures
    ├── Unsupported         unsupported     the format is refused, or no decoder is here
    ├── TooLarge            too-large       more bytes, pixels or time than the limits allow
    ├── OutOfMemory         out-of-memory
    ├── TimedOut            timeout
    ├── WorkerLost          worker-lost     the process that worked on it ended again and again
    ├── CommentatorFailed   commentator     the network failed
    ├── InternalError       internal        our bug
    └── RequestRefused      what a person or a program asked for can't be done
        ├── InvalidRequest  invalid
        ├── NotFound        not-found
        ├── Conflict        conflict        the job is in a state that doesn't allow it
        └── StoreBusy       unavailable     the store or the disk can't take it now; nothing is lost
            └── DiskFull    disk-full

`str(error)` is a whole sentence: what happened, why, and what to do. It may quote hostile text
(file names), so whoever shows it escapes it.
"""

from typing import ClassVar


class AppError(Exception):
    """The root. `kind` is stable: programs may compare it."""

    kind: ClassVar[str]


class BadFile(AppError):
    kind = "bad-file"


class NoVideo(AppError):
    kind = "no-video"


class Unsupported(AppError):
    kind = "unsupported"


class TooLarge(AppError):
    kind = "too-large"


class OutOfMemory(AppError):
    kind = "out-of-memory"


class TimedOut(AppError):
    kind = "timeout"


class WorkerLost(AppError):
    kind = "worker-lost"


class CommentatorFailed(AppError):
    kind = "commentator"


class InternalError(AppError):
    kind = "internal"


class RequestRefused(AppError):
    """The request, not the video, is at fault."""


class InvalidRequest(RequestRefused):
    kind = "invalid"


class NotFound(RequestRefused):
    kind = "not-found"


class Conflict(RequestRefused):
    kind = "conflict"


class StoreBusy(RequestRefused):
    kind = "unavailable"


class DiskFull(StoreBusy):
    kind = "disk-full"


FAILURES: dict[str, type[AppError]] = {
    error.kind: error
    for error in (
        BadFile,
        NoVideo,
        Unsupported,
        TooLarge,
        OutOfMemory,
        TimedOut,
        WorkerLost,
        CommentatorFailed,
        InternalError,
    )
}
"""Every way in which a job can fail, by the kind that is stored with it."""
