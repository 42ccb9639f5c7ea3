"""The media folder: uploaded files and stills. A person's file name is never a path here.

media/incoming/…          uploads that are still arriving
media/videos/<video id>   one file per content
media/stills/<job id>/<window>.jpg
"""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from models.errors import DiskFull, StoreBusy, TooLarge
from models.tables import new_id


@dataclass(slots=True)
class Incoming:
    """A file that is being received: written once from start to end, hashed on the way."""

    path: Path
    file: BinaryIO
    limit_bytes: int
    size: int = 0
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
class Media:
    root: Path

    @contextmanager
    def receive(self, limit_bytes: int) -> Iterator[Incoming]:
        """Open a place for an upload; whatever was not kept by the end is gone."""
        folder = self._folder("incoming")
        path = folder / new_id()
        try:
            with path.open("xb", buffering=0) as file:  # so that closing has nothing left to write
                yield Incoming(path, file, limit_bytes)
        finally:
            path.unlink(missing_ok=True)

    def forget_incoming(self) -> None:
        """Drop half uploads of a server that was killed; call it before the server starts."""
        shutil.rmtree(self.root / "incoming", ignore_errors=True)

    def keep(self, incoming: Incoming, video_id: str) -> None:
        """Make a received file the video's, safe on disk. Raises DiskFull or StoreBusy."""
        try:
            incoming.file.flush()
            os.fsync(incoming.file.fileno())
            incoming.path.rename(self._folder("videos") / video_id)
        except OSError as error:
            raise refusal(error, "The upload can't be stored") from error

    def give_up(self, video_id: str, stored_id: str) -> None:
        """Drop a kept file whose content is stored under another id; mend that one if it is gone."""
        if self.video(stored_id).exists():
            self.remove_video(video_id)
        else:
            self.video(video_id).rename(self.video(stored_id))

    def video(self, video_id: str) -> Path:
        return self.root / "videos" / video_id

    def still(self, job_id: str, window: int) -> Path:
        return self.root / "stills" / job_id / f"{window}.jpg"

    def store_still(self, job_id: str, window: int, jpeg: bytes) -> None:
        """Store a window's picture, whole or not at all."""
        still = self.still(job_id, window)
        still.parent.mkdir(parents=True, exist_ok=True)
        part = still.with_suffix(f".{new_id()}")
        part.write_bytes(jpeg)
        part.replace(still)

    def remove_video(self, video_id: str) -> None:
        self.video(video_id).unlink(missing_ok=True)

    def remove_stills(self, job_id: str) -> None:
        shutil.rmtree(self.root / "stills" / job_id, ignore_errors=True)

    def remove_orphans(self, video_ids: Iterable[str], job_ids: Iterable[str], age_s: float) -> int:
        """Remove what no row knows and nobody has touched for `age_s`: leftovers of killed processes.

        The ids were read a moment ago: what has come since is younger than that, so it stays.
        """
        known = {("videos", name) for name in video_ids} | {("stills", name) for name in job_ids}
        removed = 0
        for kind in ("incoming", "videos", "stills"):
            for path in self._folder(kind).iterdir():
                if (kind, path.name) in known or not _is_older(path, age_s):
                    continue
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _folder(self, kind: str) -> Path:
        folder = self.root / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def refusal(error: OSError, what: str) -> StoreBusy:
    """Say why the disk can't take something: DiskFull, or what the system says."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The server's disk is full: delete old jobs, or make room on the disk.")
    return StoreBusy(f"{what}: {error.strerror}.")


def _is_older(path: Path, age_s: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime >= age_s
    except FileNotFoundError:  # an upload that ended just now
        return False
