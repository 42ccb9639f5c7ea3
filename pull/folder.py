"""A network's folder. Its name says that it is whole: until then it is called NAME.part.

NAME.part/pulled.json   what is being fetched: revision, sizes, hashes
NAME.part/FILE          whole, its hash was right
NAME.part/FILE.part     as far as it has come
NAME/                   NAME.part, renamed when the last file was whole
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pull.download import PART
from pull.errors import PullFailed
from pull.listing import OURS, HubFile, Listing

MANIFEST = OURS
RESERVE_BYTES = 200_000_000  # left free for everything else that writes to this disk


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path  # where the whole network lies

    @property
    def draft(self) -> Path:
        return self.path.with_name(f"{self.path.name}{PART}")

    def holds(self, listing: Listing) -> bool:
        """Tell whether this very revision is there, no file missing or cut."""
        return self.revision() == listing.revision and self.is_whole()

    def revision(self) -> str:
        found = read_manifest(self.path)
        return found.revision if found else ""

    def is_whole(self) -> bool:
        """Tell whether every pulled file is there with its size."""
        found = read_manifest(self.path)
        return found is not None and all(_has(self.path, file) for file in found.files)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the only pull into this folder. Raises PullFailed."""
        self._check_ours()
        self.draft.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.draft, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise PullFailed(
                f"Another pull into {self.path} is running: wait for it, or end it first."
            ) from error
        finally:
            os.close(lock)

    def _check_ours(self) -> None:
        if self.path.exists() and read_manifest(self.path) is None:
            raise PullFailed(
                f"{self.path} is there already and was not made by `reelnotes pull`. Move it away to "
                "have it pulled, or set MODEL_PATH to it to use it as it is."
            )

    def prepare(self, listing: Listing) -> None:
        """Keep of an earlier try, and of an older revision, what is still the same; note the rest."""
        earlier = read_manifest(self.draft)
        same = set(earlier.files) & set(listing.files) if earlier else set()
        keep = {file.name for file in same} | {f"{file.name}{PART}" for file in same}
        for path in list(self.draft.iterdir()):
            if path.name not in keep:
                path.unlink()
        if (older := read_manifest(self.path)) is not None:
            for file in set(older.files) & set(listing.files):
                if _has(self.path, file) and not _has(self.draft, file):
                    (self.draft / file.name).hardlink_to(self.path / file.name)
        _write_manifest(self.draft, listing)

    def missing(self, listing: Listing) -> list[HubFile]:
        return [file for file in listing.files if not _has(self.draft, file)]

    def check_room(self, listing: Listing) -> None:
        """Refuse before anything is fetched what the disk can't hold. Raises PullFailed."""
        started = sum(path.stat().st_size for path in self.draft.glob(f"*{PART}"))
        needed = sum(file.size for file in self.missing(listing)) - started
        free = shutil.disk_usage(self.draft).free
        if needed and free < needed + RESERVE_BYTES:
            raise PullFailed(
                f"{listing.repository} needs {gigabytes(needed + RESERVE_BYTES)} more on the disk of "
                f"{self.path.parent}, and {gigabytes(free)} are free. Make room, or set DATA_DIR to a "
                "folder on a larger disk."
            )

    def finish(self) -> None:
        """Give the whole folder its name."""
        retired = self.path.with_name(f"{self.path.name}.old")
        shutil.rmtree(retired, ignore_errors=True)  # of a pull that was killed just here
        if self.path.exists():
            self.path.rename(retired)
        self.draft.rename(self.path)
        shutil.rmtree(retired, ignore_errors=True)


def read_manifest(folder: Path) -> Listing | None:
    """Return what was, or is being, pulled into a folder; nothing if it was not by us."""
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Listing(
            raw["repository"], raw["revision"], tuple(HubFile(**file) for file in raw["files"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_manifest(folder: Path, listing: Listing) -> None:
    draft = folder / f"{MANIFEST}{PART}"
    draft.write_text(json.dumps(asdict(listing), indent=1), encoding="utf-8")
    draft.rename(folder / MANIFEST)


def _has(folder: Path, file: HubFile) -> bool:
    path = folder / file.name
    return path.is_file() and path.stat().st_size == file.size


def gigabytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB"
