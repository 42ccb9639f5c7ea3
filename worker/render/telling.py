"""What a rendering child tells its parent."""

import errno
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from models.errors import AppError, DiskFull, InternalError, OutOfMemory, TooLarge

_SECONDS_BETWEEN = 0.5


class Progress:
    """Tells the share that is done, twice a second at most."""

    def __init__(self, total: float) -> None:
        self._total = max(total, 1e-9)
        self._next = 0.0

    def reach(self, done: float) -> None:
        if monotonic() >= self._next:
            self._next = monotonic() + _SECONDS_BETWEEN
            tell({"progress": round(min(done / self._total, 1.0), 4)})


def tell(message: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def told(render: Callable[[], list[str]]) -> None:
    """Run `render`, which returns its notes, and tell how it ended."""
    try:
        tell({"done": True, "notes": render()})
    except AppError as error:
        tell({"failure": {"kind": error.kind, "text": str(error)}})
    except MemoryError:
        text = "needs more memory than making this file may take."
        tell({"failure": {"kind": OutOfMemory.kind, "text": text}})
    except OSError as error:  # FFmpeg's own errors are among them
        tell({"failure": _of_the_disk(error)})


def _of_the_disk(error: OSError) -> dict[str, str]:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = "can't be made: the server's disk is full. Delete old jobs, or make room."
        return {"kind": DiskFull.kind, "text": text}
    if error.errno == errno.EFBIG:
        text = (
            "can't be made: the file would be larger than this server keeps (setting RENDER_BYTES)."
        )
        return {"kind": TooLarge.kind, "text": text}
    return {"kind": InternalError.kind, "text": f"can't be made: {error.strerror}."}
