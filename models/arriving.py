"""Uploads that arrive over several connections, perhaps to several processes.

What is stored of one is its offset: what was written before a kill is there, and nothing else has to be
remembered. Nobody holds a lock while waiting for the network: a writer says where its piece belongs. So
a connection that died in silence keeps nobody from going on, and of two that send the same piece one is
told to look again.

In a folder an upload is a file that grows (here); in a bucket a multipart upload (models/bucket_arriving.py).
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from models.errors import Conflict, NotFound, TooLarge
from models.scratch import refusal

_CANT_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What the kernel says when it can't copy between two file systems by itself."""


class Arriving(Protocol):
    """An open upload."""

    @property
    def offset(self) -> int:
        """Return how many bytes are here."""

    def append(self, offset: int, data: bytes) -> int:
        """Write a piece where it belongs; return the offset after it.

        Raises Conflict if the upload doesn't end at `offset`, NotFound if it was removed, TooLarge for
        more than was announced, DiskFull and StoreBusy. What was taken before an error stays.
        """

    def append_from(self, source: int, offset: int, length: int) -> int:
        """Append up to `length` bytes of the open file `source` from `offset` on, as append() does.

        Returns `offset` at the end of the source.
        """

    def begin_anew(self) -> None:
        """Drop what is here, for it was the beginning of something else. Raises Conflict, StoreBusy."""

    def hand_on(self) -> None:
        """Send what has gathered to where it stays, if that takes a network. Raises StoreBusy."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An upload of which all bytes are here."""

    path: Path  # of a file of this machine
    sha256: str
    is_kept: bool  # it is stored as the video with the upload's id already


class Arrivals(Protocol):
    def begin(self, upload_id: str, length_bytes: int) -> None:
        """Make it, with nothing in it, for at most so many bytes. Raises DiskFull and StoreBusy."""

    def opened(self, upload_id: str, length_bytes: int) -> AbstractContextManager[Arriving]:
        """Open it. Raises NotFound if there is none, and StoreBusy."""

    def size(self, upload_id: str, length_bytes: int) -> int:
        """Return how many bytes are here, also of one that was made a video; 0 where nothing is."""

    def whole(self, upload_id: str, length_bytes: int) -> AbstractContextManager[Whole]:
        """Yield one that is whole, wherever a killed process has left it. Raises NotFound, StoreBusy."""

    def undisturbed(self, upload_id: str) -> AbstractContextManager[None]:
        """Let nobody who shares the folder write to it or make it a video meanwhile.

        Elsewhere two may: then its row, settled once, decides whose video it becomes.
        """

    def remove(self, upload_id: str) -> None:
        """Remove what has come, if anything is there."""


def going_on_at(found: int, asked: int) -> Conflict:
    return Conflict(
        f"The upload goes on at byte {found}, not {asked}: ask where it is, and send from there."
    )


def too_much(length_bytes: int) -> TooLarge:
    return TooLarge(f"More came than the {length_bytes} bytes that were announced.")


def gone() -> NotFound:
    return NotFound("What had come of this upload is gone: begin it anew.")


@dataclass(frozen=True, slots=True)
class GrowingFile:
    """The open file of an upload. Whoever writes has its lock for that write alone; the kernel frees
    the lock of a process that is killed.
    """

    descriptor: int
    length_bytes: int

    @property
    def offset(self) -> int:
        return os.fstat(self.descriptor).st_size

    def append(self, offset: int, data: bytes) -> int:
        view, start = memoryview(data), offset
        with self._at(offset, len(data)):
            while offset < start + len(data):
                offset += os.pwrite(self.descriptor, view[offset - start :], offset)
        return offset

    def append_from(self, source: int, offset: int, length: int) -> int:
        with self._at(offset, length):
            try:  # a file system that can share blocks shares them
                return offset + os.copy_file_range(source, self.descriptor, length, offset, offset)
            except OSError as error:
                if error.errno not in _CANT_COPY:
                    raise
            return offset + os.pwrite(self.descriptor, os.pread(source, length, offset), offset)

    def begin_anew(self) -> None:
        with locked(self.descriptor, waits=False):
            os.ftruncate(self.descriptor, 0)

    @contextmanager
    def _at(self, offset: int, length: int) -> Iterator[None]:
        with locked(self.descriptor, waits=False):
            found = os.fstat(self.descriptor)
            if found.st_nlink == 0:
                raise NotFound("This upload was removed meanwhile.")
            if found.st_size != offset:
                raise going_on_at(found.st_size, offset)
            if offset + length > self.length_bytes:
                raise too_much(self.length_bytes)
            try:
                yield
            except OSError as error:
                raise refusal(error, "The upload can't be stored") from error

    def hand_on(self) -> None:
        """Do nothing: what was written is there."""


@dataclass(frozen=True, slots=True)
class FolderArrivals:
    uploads: Path
    videos: Path

    def begin(self, upload_id: str, length_bytes: int) -> None:
        path = self.uploads / upload_id
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(exist_ok=False)
        except OSError as error:
            raise refusal(error, "The upload can't be stored") from error

    @contextmanager
    def opened(self, upload_id: str, length_bytes: int) -> Iterator[GrowingFile]:
        descriptor = _open(self.uploads / upload_id)
        try:
            yield GrowingFile(descriptor, length_bytes)
        finally:
            os.close(descriptor)

    def size(self, upload_id: str, length_bytes: int) -> int:
        path = self._lying_at(upload_id)
        try:
            return 0 if path is None else path.stat().st_size
        except FileNotFoundError:  # it is moved when it is whole
            return length_bytes if (self.videos / upload_id).exists() else 0

    @contextmanager
    def whole(self, upload_id: str, length_bytes: int) -> Iterator[Whole]:
        path = self._lying_at(upload_id)
        if path is None:
            raise gone()
        # Read back from the disk: a hash has no state that could be stored, so one that is made on the
        # way ends with the process. It is read again at once, by the probe.
        yield Whole(path, _digest(path), path == self.videos / upload_id)

    @contextmanager
    def undisturbed(self, upload_id: str) -> Iterator[None]:
        path = self._lying_at(upload_id)
        with ExitStack() as stack:
            if path is not None:
                try:
                    descriptor = _open(path)
                except NotFound:  # another finisher has moved it just now
                    descriptor = _open(self.videos / upload_id)
                stack.callback(os.close, descriptor)
                stack.enter_context(locked(descriptor))
            yield

    def remove(self, upload_id: str) -> None:
        (self.uploads / upload_id).unlink(missing_ok=True)

    def _lying_at(self, upload_id: str) -> Path | None:
        """Return where the bytes of an upload are: a killed process may have moved them already."""
        places = (self.uploads / upload_id, self.videos / upload_id)
        return next((path for path in places if path.exists()), None)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise gone() from None
    except OSError as error:
        raise refusal(error, "The upload can't be opened") from error


@contextmanager
def locked(descriptor: int, *, waits: bool = True) -> Iterator[None]:
    """Keep other writers and finishers of the file away, in other processes too.

    Who doesn't wait for them gets Conflict: a finisher reads the whole file.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict("Somebody else sends this upload: ask where it is, and go on.") from None
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
