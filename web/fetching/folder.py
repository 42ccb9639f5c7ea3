"""The operator's folder: listed and read, never written.

Nothing of it is reached by a path as a whole: each step opens the next name in the folder before it,
and follows no link. So no `..`, no link and no rename at the wrong moment leads out of it.
"""

import heapq
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from models.arriving import Arriving
from models.errors import InvalidRequest, NotFound
from web.fetching.source import Interrupted, Opened

VIDEO = re.compile(
    r"\.(mp4|m4v|mov|mkv|webm|avi|wmv|asf|flv|ts|m2ts|mts|mpg|mpeg|vob|mxf|ogv|3gp|3g2|gif)$", re.I
)
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".ytdl", ".tmp", ".!qb")
"""Endings of what stands beside a file, under its name, while a program still writes it."""

MOST_WALKED = 50_000  # files
_DEEPEST = 40
_PIECE_BYTES = 2**24
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would block


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    path: str  # from the folder on, with slashes between
    is_folder: bool
    size_bytes: int
    modified_ms: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes with a file's content."""

    size_bytes: int
    modified_ns: int

    @property
    def text(self) -> str:
        return f"{self.size_bytes} {self.modified_ns}"


@dataclass(frozen=True, slots=True)
class Listing:
    entries: list[Entry]  # folders first
    left: int  # that fit as well and are not among them
    others: int  # files that are no videos, links, and what is no file


def list_folder(root: str, path: str, containing: str, most: int) -> Listing:
    """List the folders and videos of a folder whose names contain a text; raise NotFound."""
    with _opened_folder(root, path) as folder:
        names, others = _names(folder, containing.casefold())
        chosen = heapq.nsmallest(most, names)
        entries = [_entry(folder, path, name, is_file) for is_file, _, name in chosen]
    there = [entry for entry in entries if entry is not None]
    return Listing(there, len(names) - len(chosen), others)


def _names(folder: int, containing: str) -> tuple[list[tuple[bool, str, str]], int]:
    """Return what can be shown, as it is to be sorted, and how much can't."""
    names, others = [], 0
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.startswith("."):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            is_video = VIDEO.search(entry.name) and entry.is_file(follow_symlinks=False)
            if not (is_folder or is_video) or not is_text(entry.name):
                others += 1
            elif containing in entry.name.casefold():
                names.append((not is_folder, entry.name.casefold(), entry.name))
    return names, others


def _entry(folder: int, path: str, name: str, is_file: bool) -> Entry | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:  # gone just now
        return None
    return Entry(
        name=name,
        path=f"{path}/{name}" if path else name,
        is_folder=not is_file,
        size_bytes=found.st_size if is_file else 0,
        modified_ms=found.st_mtime_ns // 1_000_000,
    )


def check_file(root: str, path: str) -> None:
    """Raise InvalidRequest or NotFound for what can't be added from the folder."""
    with _opened_file(root, path):
        pass


@contextmanager
def open_source(root: str, path: str, offset: int, validator: str | None) -> Iterator[Opened]:
    """Open a file of the folder to go on at `offset`, or from its start if it is another one by now.

    Raises Interrupted where it can't be opened, and later if it changes while it is read.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_opened_file(root, path))
        except NotFound as error:
            raise Interrupted(str(error)) from error
        stamp = _stamp(os.fstat(file))
        yield Opened(
            offset=offset if validator == stamp.text else 0,
            length_bytes=stamp.size_bytes,
            validator=stamp.text,
            filename=None,
            bring=lambda part, at: _copy(file, stamp, part, at),
        )


def _copy(file: int, stamp: Stamp, part: Arriving, offset: int) -> Iterator[int]:
    while offset < stamp.size_bytes:
        left = stamp.size_bytes - offset
        after = part.append_from(file, offset, min(left, _PIECE_BYTES))
        if after == offset:
            break
        part.hand_on()
        offset = after
        yield offset
    if offset != stamp.size_bytes or _stamp(os.fstat(file)) != stamp:
        raise Interrupted("The file changed while it was copied.")


def walk_videos(root: str) -> dict[str, Stamp]:
    """Return the finished videos in the folder and all folders in it, by path. Raises NotFound.

    Left out: hidden ones, empty ones, what another program still writes, names that are no text.
    """
    found: dict[str, Stamp] = {}
    with _opened_folder(root, "") as folder:
        _walk(folder, "", found, _DEEPEST)
    return found


def _walk(folder: int, path: str, found: dict[str, Stamp], depth: int) -> None:
    with os.scandir(folder) as entries:
        names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    for name, is_folder in names.items():
        if name.startswith(".") or not is_text(name) or len(found) >= MOST_WALKED:
            continue
        inner = f"{path}{name}"
        with suppress(OSError):  # gone just now, or not for us to read
            if is_folder and depth:
                opened = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    _walk(opened, f"{inner}/", found, depth - 1)
                finally:
                    os.close(opened)
            elif VIDEO.search(name) and not _is_unfinished(name, names):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and status.st_size:
                    found[inner] = _stamp(status)


def _is_unfinished(name: str, names: Iterable[str]) -> bool:
    return any(f"{name}{ending}" in names for ending in _UNFINISHED)


def is_text(name: str) -> bool:
    """Tell whether a name is UTF-8: no other can be stored, or sent."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns)


@contextmanager
def _opened_folder(root: str, path: str) -> Iterator[int]:
    """Open a folder in the root, "" for itself, step by step. Raises InvalidRequest and NotFound."""
    steps = _steps(path) if path else []
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotFound(f"The server's folder can't be opened: {error.strerror}.") from None
    try:
        for step in steps:
            inner = os.open(step, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    except OSError as error:
        raise _no_such(path, error) from None
    finally:
        os.close(folder)


@contextmanager
def _opened_file(root: str, path: str) -> Iterator[int]:
    *above, name = _steps(path)
    with _opened_folder(root, "/".join(above)) as folder:
        try:
            file = os.open(name, _FILE, dir_fd=folder)
        except OSError as error:
            raise _no_such(path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise NotFound(f"{path[:200]!r} in the server's folder is no file.")
        yield file
    finally:
        os.close(file)


def _steps(path: str) -> list[str]:
    """Take a path apart. Raises InvalidRequest for one that can't be meant."""
    steps = path.split("/")
    if any(step in ("", ".", "..") for step in steps) or "\0" in path or not is_text(path):
        raise InvalidRequest(
            f"{path[:200]!r} is no path in the server's folder: write it as folder/file.mp4."
        )
    return steps


def _no_such(path: str, error: OSError) -> NotFound:
    return NotFound(
        f"There is no {path[:200]!r} in the server's folder that can be read "
        f"({error.strerror}; links are not followed)."
    )
