"""Files of the watched folder: which were seen, and which content was queued because of them.

A file is known by its path, size and time of change together; a content by its hash.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.tables import Job, Video, WatchedFile

_AT_ONCE = 500  # keys in a question; SQLite takes no more than some thousand


def key_of(*parts: object) -> str:
    """Return a key of 64 characters, whatever characters are in the parts."""
    text = "\0".join(map(str, parts))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def known_keys(session: Session, keys: Collection[str]) -> set[str]:
    """Return those of the keys that have been noted."""
    wanted, known = list(keys), set[str]()
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        known.update(session.scalars(select(WatchedFile.key).where(WatchedFile.key.in_(some))))
    return known


def note_files(session: Session, paths: Mapping[str, str]) -> None:
    """Note files, { key: path }. An IntegrityError says that another process was first."""
    now = now_ms()
    rows: Iterable[WatchedFile] = (
        WatchedFile(key=key, path=path, noted_ms=now) for key, path in paths.items()
    )
    session.add_all(rows)
    session.flush()


def is_content_known(session: Session, key: str, sha256: str) -> bool:
    """Tell whether another file, or a person, has brought this content before."""
    other = select(WatchedFile.key).where(WatchedFile.sha256 == sha256, WatchedFile.key != key)
    job = select(Job.id).join(Job.video).where(Video.sha256 == sha256)
    return session.scalar(other.limit(1)) is not None or session.scalar(job.limit(1)) is not None


def note_content(session: Session, key: str, sha256: str) -> None:
    """Note what a file holds. An IntegrityError says that another file has it too."""
    session.execute(update(WatchedFile).where(WatchedFile.key == key).values(sha256=sha256))
