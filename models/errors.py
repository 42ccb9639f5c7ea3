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
    │   └── PromptRefused   commentator     the prompt is longer than the network takes
    ├── InternalError       internal        our bug
    └── RequestRefused      what a person or a program asked for can't be done
        ├── InvalidRequest  invalid
        ├── NotFound        not-found
        ├── Expired         expired         an upload on which nothing arrived for too long
        ├── Conflict        conflict        the job is in a state that doesn't allow it
        │   └── UnderWay    conflict        the same request is under way: sent again later, it gets its answer
        ├── FetchFailed     fetch           an address or a file of the server gave nothing that could be kept
        ├── KeyReused       key-reused      an idempotency key came with another request before
        └── StoreBusy       unavailable     the store or the disk can't take it now; nothing is lost
            ├── DiskFull    disk-full
            └── MediaAway   unavailable     the object storage can't be used now

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


class PromptRefused(CommentatorFailed):
    """Asked the same again, it would be refused again."""


class InternalError(AppError):
    kind = "internal"


class RequestRefused(AppError):
    """The request, not the video, is at fault."""


class InvalidRequest(RequestRefused):
    kind = "invalid"


class NotFound(RequestRefused):
    kind = "not-found"


class Expired(RequestRefused):
    kind = "expired"


class Conflict(RequestRefused):
    kind = "conflict"


class UnderWay(Conflict):
    """The same request, under the same key, has not been answered yet."""

    retry_after_s = 5


class FetchFailed(RequestRefused):
    kind = "fetch"


class KeyReused(RequestRefused):
    kind = "key-reused"


class StoreBusy(RequestRefused):
    kind = "unavailable"


class DiskFull(StoreBusy):
    kind = "disk-full"


class MediaAway(StoreBusy):
    """The object storage doesn't do what it was asked. `next_step` is for whoever runs the server."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


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
