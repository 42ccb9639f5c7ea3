"""`reelnotes backup`: a copy of store and media, made while everything runs, in the layout of DATA_DIR.

The store comes first. What is uploaded meanwhile is then a file without a row, which a sweep removes;
the other way round it would be a queued job without its video. Stored files never change, so those
that a former backup holds are not copied again. Media in object storage stay there: what copies a bucket
well is the storage itself.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url, select

from models.media import folder_media, open_media
from models.store import Store
from models.tables import Video
from settings import Settings

STORE_DUMP = "store.dump"  # of Postgres, for pg_restore


class BackupFailed(RuntimeError):
    """The copy is not whole; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Copied:
    files: int  # new ones
    bytes: int
    missing: int  # videos that rows knew and that were deleted before they were copied
    left_at: str = ""  # the address of the media, where they are not in a folder


def back_up(settings: Settings, folder: Path) -> Copied:
    """Copy everything that can't be made again into a folder. Raises BackupFailed, NotFound without a store."""
    data_dir = settings.data_dir.resolve()
    if folder.resolve().is_relative_to(data_dir):
        raise BackupFailed(
            f"{folder} lies in DATA_DIR ({data_dir}): a copy there would replace what runs, or be lost with "
            "it. Name a folder elsewhere."
        )
    known = copy_store(settings, folder)
    with suppress(FileNotFoundError):  # so that sessions last
        shutil.copy(settings.data_dir / "secret-key", folder / "secret-key")
    if settings.media_url:
        stored = open_media(settings).stored_videos()
        return Copied(0, 0, len(known - stored), settings.media_url)
    return copy_media(settings.data_dir / "media", folder / "media", known)


def copy_store(settings: Settings, folder: Path) -> set[str]:
    """Copy all rows as of one moment; return the ids of the videos that should have files."""
    store = Store.open_made(settings.store_url)
    try:
        with store.read() as session:
            statement = select(Video.id).where(Video.removed_ms.is_(None))
            known = set(session.scalars(statement))
        address = store.engine.url
    finally:
        store.engine.dispose()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if address.get_backend_name() == "sqlite":
        _copy_sqlite(Path(str(address.database)), folder / "reelnotes.db")
    else:
        _dump_postgres(address, folder / STORE_DUMP)
    return known


def _copy_sqlite(source: Path, target: Path) -> None:
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as running, closing(sqlite3.connect(part)) as copy:
        running.backup(copy)  # waits for no writer for longer than a page takes
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without -wal and -shm
    part.replace(target)


def _dump_postgres(address: URL, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupFailed(
            "pg_dump is not on PATH: install the client programs of your Postgres' version."
        )
    part = target.with_suffix(".part")
    plain = make_url(address).set(drivername="postgresql", password=None)
    done = subprocess.run(
        [program, "--format=custom", "--no-owner", f"--file={part}", str(plain)],
        env={**os.environ, "PGPASSWORD": address.password or ""},  # not for `ps` to show
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise BackupFailed(f"pg_dump failed: {done.stderr.strip()[:300]}")
    part.replace(target)


def copy_media(source: Path, target: Path, known: set[str]) -> Copied:
    """Make `target` hold what `source` does, and of the known videos what it holds already.

    Raises BackupFailed, and removes nothing, where `source` has none of the known videos.
    """
    files = size = 0
    wanted = set(_files(source))
    if known and not known & folder_media(source).stored_videos():
        raise BackupFailed(
            f"{source} holds none of the videos that the store knows ({len(known)}): is it mounted? "
            "What an earlier backup has copied was left as it is."
        )
    for path in sorted(wanted):
        copy = target / path
        try:
            if copy.exists() and copy.stat().st_size == (source / path).stat().st_size:
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            part = copy.with_name(f"{copy.name}.part")
            shutil.copy2(source / path, part)
            part.replace(copy)
        except FileNotFoundError:  # deleted since it was listed
            continue
        files, size = files + 1, size + copy.stat().st_size
    for path in set(_files(target)) - wanted:  # deleted by a person, or past its days
        if path.parent.name != "videos" or path.name not in known:
            (target / path).unlink()
    stored = folder_media(target).stored_videos()
    return Copied(files, size, len(known - stored))


def _files(media: Path) -> Iterator[Path]:
    """Yield what can't be made again: videos, their stills, and uploads as far as they have come."""
    for kind in ("videos", "stills", "uploads"):
        for path in (media / kind).rglob("*"):
            if path.is_file():
                yield path.relative_to(media)
