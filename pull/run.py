"""From a name to a whole folder: list, check the room, fetch, name."""

import errno
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from pull.download import download, wait
from pull.errors import Interrupted, NotThere, PullFailed, Unreachable
from pull.folder import Folder, gigabytes
from pull.hub import Hub
from pull.listing import Listing
from pull.names import folder_name, hub_names


def pull(typed: str, models_dir: Path, hub_url: str, token: str = "") -> Path:
    """Fetch a repository into `models_dir`/owner/name and return that folder; says what it does.

    Whatever ends it, the folder is there only if it is whole. Raises PullFailed.
    """
    name = folder_name(typed)
    folder = Folder(models_dir / name)
    try:
        with Hub(hub_url, token) as hub:
            _pull(hub, name, folder)
    except OSError as error:
        raise _disk_refusal(error, folder) from error
    return folder.path


def _pull(hub: Hub, name: str, folder: Folder) -> None:
    try:
        listing = _list(hub, name)
    except Unreachable as failure:
        if not folder.is_whole():
            raise
        click.echo(f"{name} is whole in {folder.path}; whether it is the newest can't be asked.")
        click.echo(f"note: {failure}", err=True)
        return
    if folder.holds(listing):
        click.echo(f"{name} is whole in {folder.path}: nothing to do.")
        return
    with folder.hold():
        folder.prepare(listing)
        folder.check_room(listing)
        missing = folder.missing(listing)
        kept = listing.size - sum(file.size for file in missing)
        with _progress(listing, kept) as moved:
            for file in missing:
                download(hub, listing, file, folder.draft, moved)
        folder.finish()
    click.echo(
        f"{name} is whole in {folder.path}: {len(listing.files)} files, {gigabytes(listing.size)}, "
        f"every hash right (revision {listing.revision[:12]})."
    )


def _list(hub: Hub, name: str) -> Listing:
    """Ask for the network under each of its spellings. Raises PullFailed."""
    likeliest, *others = hub_names(name)
    try:
        return _list_patiently(hub, likeliest)
    except NotThere:
        for spelling in others:
            with suppress(NotThere):
                return _list_patiently(hub, spelling)
        raise


def _list_patiently(hub: Hub, repository: str) -> Listing:
    tries = 0
    while True:
        try:
            return hub.list_files(repository)
        except Interrupted as interruption:
            tries += 1
            wait(tries, interruption, repository, hub.url)


@contextmanager
def _progress(listing: Listing, kept: int) -> Iterator[Callable[[int], None]]:
    """Show a bar that begins at `kept` bytes, with the rate; yield what it is told more bytes by."""
    began = time.monotonic()
    came = 0

    def describe(_: object) -> str:
        seconds = max(time.monotonic() - began, 0.001)
        return f"{gigabytes(bar.pos)} of {gigabytes(listing.size)}, {came / seconds / 1e6:.0f} MB/s"

    with click.progressbar(
        length=listing.size, label=listing.repository, item_show_func=describe, file=sys.stderr
    ) as bar:
        bar.update(kept, current_item=0)

        def moved(count: int) -> None:
            nonlocal came
            came += count
            bar.update(count, current_item=0)

        yield moved


def _disk_refusal(error: OSError, folder: Folder) -> PullFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PullFailed(
            f"The disk of {folder.path.parent} is full. Make room, or set DATA_DIR to a folder on a "
            "larger disk, and run the same command again: it goes on where it stopped."
        )
    return PullFailed(
        f"{error.filename or folder.path} can't be written: {error.strerror or error}. "
        "Set DATA_DIR to a folder that is yours."
    )
