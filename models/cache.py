"""Copies of stored videos on this machine: at most so many bytes, those used last, shared by all its
processes.

    ID              a copy, whole and of the right hash. Whoever reads it holds a shared lock on it
    ID.BYTES.part   a copy under way, or one that broke off: the next to want it goes on. Whoever
                    fetches it holds an exclusive lock on it. All its bytes count from the start

The kernel frees the locks of a process that is killed. What is locked is never removed.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from models.errors import BadFile, MediaAway

SPARE_BYTES = 2**28  # left free on the disk for whatever else is on it

Fetch = Callable[[int], None]
"""Writes the rest of the content to an open file, behind what is in it.

Raises StoreBusy, FileNotFoundError where there is no content, OSError where the disk doesn't take it.
"""


@dataclass(frozen=True, slots=True)
class Cache:
    folder: Path
    most_bytes: int

    @contextmanager
    def hold(self, name: str, size: int, sha256: str, fetch: Fetch) -> Iterator[Path]:
        """Yield a copy, fetched if it isn't here; it stays until the block ends.

        Raises MediaAway while the disk can't take it, BadFile if what is fetched has another hash, and as
        `fetch` does.
        """
        copy = self.folder / name
        part = self.folder / f"{name}.{size}.part"
        with ExitStack() as held:
            try:
                self._lock_copy(copy, part, sha256, fetch, held)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise MediaAway(
                    f"This host can't keep a copy of the video: {error.strerror}.",
                    "make room on its disk",
                ) from error
            yield copy

    def _lock_copy(
        self, copy: Path, part: Path, sha256: str, fetch: Fetch, held: ExitStack
    ) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        while _lock(copy, fcntl.LOCK_SH, held) is None:
            descriptor = _lock(part, fcntl.LOCK_EX, held, create=True)
            if descriptor is not None and copy.exists():  # finished since we looked
                part.unlink()
            elif descriptor is not None:
                self._complete(part, descriptor, sha256, fetch)
                part.rename(copy)
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                break
            held.close()
        os.utime(copy)

    def _complete(self, part: Path, descriptor: int, sha256: str, fetch: Fetch) -> None:
        try:
            self._make_room(part)
            for _ in range(2):  # what broke off may be spoilt: then all of it once more
                fetch(descriptor)
                if _digest(part) == sha256:
                    return
                os.ftruncate(descriptor, 0)
        except FileNotFoundError:
            part.unlink(missing_ok=True)
            raise
        except (MediaAway, OSError):
            if os.fstat(descriptor).st_size == 0:  # it would only take up room
                part.unlink(missing_ok=True)
            raise
        part.unlink(missing_ok=True)
        raise BadFile(
            "The video in the object storage is not what was uploaded: its SHA-256 is another. Upload the "
            "same file again, which puts it right, then retry."
        )

    def _make_room(self, part: Path) -> None:
        """Remove what was not used for longest until the part fits as a whole. Raises MediaAway."""
        with self._alone():
            files = list(self._files())
            files.sort(key=lambda file: file[1].st_mtime)
            used = sum(_whole_bytes(path, facts.st_size) for path, facts in files)
            coming = used - sum(facts.st_size for _, facts in files)
            free = shutil.disk_usage(self.folder).free - SPARE_BYTES
            for path, facts in files:
                if used <= self.most_bytes and coming <= free:
                    return
                if path != part and _remove_unused(path):
                    used -= _whole_bytes(path, facts.st_size)
                    free += facts.st_size
            alone = used == _whole_bytes(part, 0)  # a video larger than all that is allowed
            if coming > free or (used > self.most_bytes and not alone):
                raise MediaAway(
                    "There is no room on this host for another video beside those that are being read.",
                    "raise MEDIA_CACHE_BYTES or make room on the disk",
                )

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another process has just finished it
                yield path, path.stat()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _lock(path: Path, kind: int, held: ExitStack, create: bool = False) -> int | None:
    """Open a file and lock it; None if it isn't there (any more)."""
    try:
        flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    held.callback(os.close, descriptor)
    fcntl.flock(descriptor, kind)
    try:
        is_there = os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        is_there = False
    return descriptor if is_there else None


def _whole_bytes(path: Path, size: int) -> int:
    """Return how large a file is, or will be."""
    return int(path.suffixes[-2][1:]) if path.suffix == ".part" else size


def _remove_unused(path: Path) -> bool:
    """Remove a file unless somebody holds it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
