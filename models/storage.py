"""Where media are kept: the one interface behind which a folder and object storage stand.

A name is a path of two or three parts, such as videos/ID or stills/JOB/0.jpg: models/media.py makes
them all, out of our own ids. What has a name is whole: a reader never sees the half of a file.

Every method raises StoreBusy where the storage can't be used just now (DiskFull where it is full), and
FileNotFoundError where nothing has the name.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from models.arriving import Arrivals


@dataclass(frozen=True, slots=True)
class Content:
    """A stored file, open for reading from any place on. Whoever asked for it closes `file`."""

    file: BinaryIO
    size: int  # bytes
    modified: datetime
    etag: str  # of this content, without quotes


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored file in a list."""

    name: str
    size: int  # bytes
    used_s: float  # seconds since 1970: somebody asked for it, or it was stored


class Storage(Protocol):
    @property
    def place(self) -> str:
        """Return what a person calls it, e.g. "media folder"."""

    @property
    def arrivals(self) -> Arrivals:
        """Return the uploads that come in pieces."""

    def check(self) -> None:
        """Write, read and remove a small file."""

    def take(self, file: Path, name: str, *, durable: bool = False, stays: bool = False) -> None:
        """Store a file of ours that is whole; it may be moved, unless it `stays`.

        `durable`: it outlasts a loss of power.
        """

    def put(self, name: str, data: bytes) -> None:
        """Store a few bytes."""

    def rewrite(self, name: str, data: bytes) -> bool:
        """Store other bytes under a name that is there; False if it isn't, for then it stays so."""

    def link(self, source: str, target: str) -> None:
        """Let `target` hold what `source` does. One that is there already may stay as it is."""

    def read(self, name: str) -> bytes:
        """Return a small file."""

    def open(self, name: str) -> Content: ...

    def local(self, name: str, sha256: str) -> AbstractContextManager[Path]:
        """Yield a file of this machine with that content, which stays as long as the block.

        Raises BadFile if what is stored under the name is something else.
        """

    def existing(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that are there. They should have much of their beginning in common."""

    def remove(self, *names: str) -> None:
        """Remove files; those that aren't there are no error."""

    def remove_below(self, child: str) -> None:
        """Remove what has this name, and all that lies below it."""

    def children(self, kind: str) -> Iterator[str]:
        """Yield the names right below a kind: of files, and of jobs with files."""

    def entries(self, kind: str) -> Iterator[Entry]:
        """Yield all files below a kind."""

    def changed_s(self, child: str) -> float | None:
        """Return when a child, or a file below it, was last written (seconds since 1970); None: gone."""

    def note_use(self, name: str) -> None:
        """Note that somebody has asked for a file: who was asked for last is kept longest."""

    def drop_broken(self, arriving: Iterable[str], age_s: float) -> int:
        """Drop what uploads left half done in the storage that nobody has touched for so long.

        `arriving` are the ids of uploads that may go on. Returns how many were dropped.
        """
