"""One file: fetched, gone on with where it stopped, and named only once its hash is right."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pull.errors import Interrupted, PullFailed, Unreachable
from pull.hub import Hub
from pull.listing import HubFile, Listing

PART = ".part"
PIECE_BYTES = 1 << 20
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between tries that brought nothing


@dataclass(slots=True)
class Draft:
    """What is there of a file."""

    file: HubFile
    out: BinaryIO
    hash: "hashlib._Hash"
    size: int = 0

    def add(self, piece: bytes) -> None:
        self.out.write(piece)
        self.take(piece)

    def take(self, piece: bytes) -> None:
        """Count bytes that are stored already."""
        self.hash.update(piece)
        self.size += len(piece)


def download(
    hub: Hub, listing: Listing, file: HubFile, folder: Path, moved: Callable[[int], None]
) -> None:
    """Put a file into the folder under its name; `moved` is told of each piece's bytes.

    A broken connection is taken up again, by this call or, after it was killed, by the next one.
    Raises PullFailed, or OSError where the disk refuses.
    """
    part = folder / f"{file.name}{PART}"
    with part.open("a+b") as out:
        draft = _take_up(file, out, moved)
        _complete(hub, listing, draft, moved)
        out.flush()
        os.fsync(out.fileno())
    if draft.size != file.size or draft.hash.hexdigest() != file.digest:
        part.unlink()
        raise PullFailed(
            f"{file.name} of {listing.repository} arrived with another content than the hub's list "
            "says, and was thrown away. Run the same command again; if it happens again, what "
            "stands between here and the hub (HUB_URL, a proxy, the disk) damages files."
        )
    part.rename(folder / file.name)


def _take_up(file: HubFile, out: BinaryIO, moved: Callable[[int], None]) -> Draft:
    """Read back what an earlier call has stored; begin anew if that is too long."""
    draft = Draft(file, out, file.new_hash())
    if os.fstat(out.fileno()).st_size > file.size:
        out.truncate(0)
    out.seek(0)
    while piece := out.read(PIECE_BYTES):
        draft.take(piece)
        moved(len(piece))
    return draft


def _complete(hub: Hub, listing: Listing, draft: Draft, moved: Callable[[int], None]) -> None:
    tries = 0
    while draft.size < draft.file.size:
        before = draft.size
        try:
            for piece in hub.read(listing, draft.file, before):
                draft.add(piece)
                moved(len(piece))
                if draft.size > draft.file.size:
                    return
            if draft.size < draft.file.size:
                raise Interrupted("the connection ended too early")
        except Interrupted as interruption:
            tries = tries + 1 if draft.size == before else 0
            wait(tries, interruption, listing.repository, hub.url)


def wait(tries: int, interruption: Interrupted, repository: str, url: str) -> None:
    """Wait before the next try, or raise Unreachable after too many that brought nothing."""
    if tries > len(PAUSES):
        raise Unreachable(
            f"{url} can't be reached for {repository} ({interruption}). Check the network, and set "
            "HTTPS_PROXY behind a proxy or HUB_URL to a mirror; then run the same command again: it "
            "goes on where it stopped."
        ) from interruption
    time.sleep(PAUSES[max(0, tries - 1)])
