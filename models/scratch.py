"""Files of this machine that are not yet anybody's: uploads under way, pictures and copies being made.

Each is called after the process that writes it (models/owners.py), which has its lock meanwhile: of one
that was killed they are swept.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from models.errors import DiskFull, StoreBusy, TooLarge
from models.owners import is_gone, new_owner

_LEFT_S = 900.0  # that nobody has touched a file of a process of which nothing can be known


@dataclass(slots=True)
class Incoming:
    """A file that is being received: written once from start to end, hashed on the way."""

    path: Path
    file: BinaryIO
    limit_bytes: int
    size: int = 0
    begun_ns: int = field(default_factory=time.time_ns)  # since 1970
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> int:
        """Append; raise TooLarge beyond the limit, DiskFull or StoreBusy when the disk can't take it."""
        self.size += len(data)
        if self.size > self.limit_bytes:
            raise TooLarge(
                f"The file is larger than the {self.limit_bytes / 2**30:.3g} GiB that this server accepts "
                "(setting MAX_UPLOAD_BYTES)."
            )
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self.file.write(rest) :]
        except OSError as error:
            raise refusal(error, "The upload can't be stored") from error
        self._hash.update(data)
        return len(data)

    def finish(self) -> None:
        """Hand the last bytes to the system, so that others can read the file. Raises as write()."""
        try:
            self.file.flush()
        except OSError as error:
            raise refusal(error, "The upload can't be stored") from error

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class Scratch:
    folder: Path

    @contextmanager
    def receive(self, limit_bytes: int) -> Iterator[Incoming]:
        """Open a place for an upload; whatever was not kept by the end is gone."""
        try:
            path = self._made() / new_owner()
            opened = path.open("xb", buffering=0)  # so that closing has nothing left to write
            _lock(opened.fileno())
        except OSError as error:
            raise refusal(error, "The upload can't be stored") from error
        try:
            with opened as file:
                yield Incoming(path, file, limit_bytes)
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def making(self) -> Iterator[tuple[Path, int]]:
        """Open a place for a file that is being made; whatever was not kept by the end is gone."""
        part = self._made() / new_owner()
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        _lock(descriptor)
        try:
            yield part, descriptor
        finally:
            os.close(descriptor)
            part.unlink(missing_ok=True)

    def draft(self, data: bytes) -> Path:
        """Write a few bytes where nobody sees them. Raises DiskFull or StoreBusy."""
        path = self.folder / new_owner()
        try:
            self._made()
            path.write_bytes(data)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise refusal(error, "The picture can't be stored") from error
        return path

    def free_bytes(self) -> int:
        """Return what is left on the disk. Raises StoreBusy."""
        try:
            return shutil.disk_usage(self._made()).free
        except OSError as error:
            raise refusal(error, "The media folder can't be used") from error

    def check_writable(self) -> None:
        """Raise DiskFull or StoreBusy if no upload could be stored."""
        with self.receive(1) as incoming:
            incoming.write(b"\0")

    def drop_broken(self) -> int:
        """Drop what processes left half done when they were killed: at once where that can be told.

        Of one that ran elsewhere, in a container perhaps, what is unlocked and was long not written to.
        """
        left = [path for path in self._made().iterdir() if is_gone(path.name) or _is_left(path)]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def forget(self) -> None:
        """Drop what a server left that was killed; call it before the server starts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _made(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder


def _lock(descriptor: int) -> None:
    """Show that somebody has a new file: the kernel frees the lock of a process that is killed."""
    with suppress(OSError):  # a file system without locks, where nobody learns that it is free
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_left(path: Path) -> bool:
    try:
        if time.time() - path.stat().st_mtime < _LEFT_S:
            return False
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # locked, or gone just now
        return False
    return True


def refusal(error: OSError, what: str) -> StoreBusy:
    """Say why the disk can't take something: DiskFull, or what the system says."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The server's disk is full: delete old jobs, or make room on the disk.")
    return StoreBusy(f"{what}: {error.strerror}.")
