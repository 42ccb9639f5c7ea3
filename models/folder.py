"""Media in a folder: DATA_DIR/media, of this machine or mounted on all of them."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.arriving import FolderArrivals
from models.ids import new_id
from models.scratch import refusal
from models.storage import Content, Entry


@dataclass(frozen=True, slots=True)
class Folder:
    root: Path

    @property
    def place(self) -> str:
        return "media folder"

    @property
    def arrivals(self) -> FolderArrivals:
        return FolderArrivals(self.root / "uploads", self.root / "videos")

    def check(self) -> None:
        """Do nothing: the scratch lies in the same folder, and whoever checks media has tried that."""

    def take(self, file: Path, name: str, *, durable: bool = False, stays: bool = False) -> None:
        target = self.root / name
        with _refusing("The file can't be stored"):
            target.parent.mkdir(parents=True, exist_ok=True)
            if stays:
                _link(file, target)
            else:
                file.replace(target)
            if durable:
                with target.open("rb") as written:
                    os.fsync(written.fileno())

    def put(self, name: str, data: bytes) -> None:
        target = self.root / name
        part = target.with_suffix(f".{new_id()}")
        with _refusing("The file can't be stored"):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(data)
                part.replace(target)
            except OSError:
                part.unlink(missing_ok=True)
                raise

    def rewrite(self, name: str, data: bytes) -> bool:
        try:
            with _refusing("The file can't be stored"):
                descriptor = os.open(self.root / name, os.O_WRONLY | os.O_CLOEXEC)
                try:  # in one write, and never shorter: nobody reads a half
                    os.pwrite(descriptor, data.ljust(os.fstat(descriptor).st_size), 0)
                finally:
                    os.close(descriptor)
        except FileNotFoundError:
            return False
        return True

    def link(self, source: str, target: str) -> None:
        kept, linked = self.root / source, self.root / target
        with _refusing("The file can't be stored"):
            if linked.exists():
                return
            linked.parent.mkdir(parents=True, exist_ok=True)
            _link(kept, linked)  # the source is still needed if the rows can't be stored

    def read(self, name: str) -> bytes:
        with _refusing("The file can't be read"):
            return (self.root / name).read_bytes()

    def open(self, name: str) -> Content:
        with _refusing("The file can't be read"):
            file = (self.root / name).open("rb")
        facts = os.fstat(file.fileno())
        tag = hashlib.sha256(f"{name} {facts.st_ino} {facts.st_mtime_ns} {facts.st_size}".encode())
        modified = datetime.fromtimestamp(facts.st_mtime, UTC)
        return Content(file, facts.st_size, modified, tag.hexdigest()[:32])

    @contextmanager
    def local(self, name: str, sha256: str) -> Iterator[Path]:
        """Yield the file itself. It is not read through for its hash: this disk is where it was made."""
        yield self.root / name

    def existing(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if (self.root / name).exists()}

    def remove(self, *names: str) -> None:
        with _refusing("The file can't be removed"):
            for name in names:
                (self.root / name).unlink(missing_ok=True)

    def remove_below(self, child: str) -> None:
        path = self.root / child
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def children(self, kind: str) -> Iterator[str]:
        folder = self.root / kind
        if folder.is_dir():
            yield from (path.name for path in folder.iterdir())

    def entries(self, kind: str) -> Iterator[Entry]:
        for path in (self.root / kind).rglob("*"):
            with suppress(FileNotFoundError):  # removed just now
                facts = path.stat()
                if path.is_file():
                    name = path.relative_to(self.root).as_posix()
                    yield Entry(name, facts.st_size, facts.st_atime)

    def changed_s(self, child: str) -> float | None:
        try:
            return (self.root / child).stat().st_mtime
        except FileNotFoundError:  # an upload that ended just now
            return None

    def note_use(self, name: str) -> None:
        path = self.root / name
        with _refusing("The file can't be read"):
            os.utime(path, (time.time(), path.stat().st_mtime))

    def drop_broken(self, arriving: Iterable[str], age_s: float) -> int:
        """Do nothing: all that is half done here has a name among the others."""
        return 0


def _link(kept: Path, linked: Path) -> None:
    """Give a file another name, unless something has it."""
    try:
        os.link(kept, linked)
    except FileExistsError:
        return
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        part = linked.with_suffix(f".{new_id()}")
        try:
            shutil.copyfile(kept, part)
            part.replace(linked)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refusal(error, what) from error
