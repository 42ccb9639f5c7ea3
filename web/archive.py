"""A ZIP of many files, sent while it is made: neither the archive nor a file is ever held whole in memory."""

import io
import time
from collections.abc import Iterable, Iterator
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_PIECE_BYTES = 2**16

Entry = tuple[str, BinaryIO]
"""A file's name in the archive, and its content, open to be read."""


def stream_zip(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield the archive's bytes. The next file is asked for when the one before is through and closed."""
    outlet = _Outlet()
    with ZipFile(outlet, "w", ZIP_DEFLATED) as archive:
        for name, file in entries:
            about = ZipInfo(name, time.localtime()[:6])
            about.compress_type = ZIP_DEFLATED
            about.external_attr = 0o644 << 16
            with file, archive.open(about, "w", force_zip64=True) as entry:
                while piece := file.read(_PIECE_BYTES):
                    entry.write(piece)
                    yield outlet.take()
    yield outlet.take()


def unique_name(stem: str, extension: str, taken: set[str]) -> str:
    """Return a name that no other file of the archive has, on any file system; note it as taken."""
    number, name = 1, stem + extension
    while name.casefold() in taken:
        number += 1
        name = f"{stem} ({number}){extension}"
    taken.add(name.casefold())
    return name


class _Outlet(io.RawIOBase):
    """Takes what ZipFile writes until it is sent on. It can't be sought: sizes follow each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole
