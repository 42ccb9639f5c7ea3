"""A whole file that only this process can make a job, and how others know that it is still at it."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from models import uploads
from models.errors import StoreBusy
from models.tables import Upload
from web.site import Site
from web.uploads import Wish

_EVERY_S = uploads.HELD_MS / 4000

log = logging.getLogger(__name__)


def begin_held(site: Site, upload_id: str, size: int, wish: Wish) -> None:
    """Note in the store that this process has such a file in hand, unless that is noted."""
    with site.store.write() as session:
        if session.get(Upload, upload_id) is None:  # else the answer to a first commit was lost
            uploads.begin_held(
                session,
                upload_id,
                length_bytes=size,
                filename=wish.filename,
                parameters=wish.parameters,
                priority=wish.priority,
            )


@contextmanager
def holding(site: Site, upload_id: str) -> Iterator[None]:
    """Say so again and again: a storage may take its time with a large file."""
    over = threading.Event()

    def say() -> None:
        while not over.wait(_EVERY_S):
            try:
                with site.store.write() as session:
                    uploads.hold_on(session, upload_id)
            except StoreBusy as error:
                log.warning("upload not held upload_id=%s reason=%s", upload_id, error)

    threading.Thread(target=say, daemon=True).start()
    try:
        yield
    finally:
        over.set()
