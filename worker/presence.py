"""Tells the store that this worker process lives, and what it takes of the machine."""

import logging
import os
import resource
import socket
import threading
from pathlib import Path

from models import workers
from models.clock import now_ms
from models.errors import StoreBusy
from models.owners import process_name
from models.store import Store
from models.tables import Worker
from worker.commentator import Commentator

EVERY_S = 10.0

log = logging.getLogger(__name__)


class Presence:
    """Reports from now on until it is ended."""

    def __init__(self, store: Store, commentator: Commentator) -> None:
        self._store, self._commentator = store, commentator
        self._host, self._pid = socket.gethostname()[:40], os.getpid()
        self._name = process_name()
        self._started_ms = now_ms()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="presence", daemon=True).start()

    def end(self) -> None:
        """Say goodbye; a store that is away hears of it by silence."""
        self._ended.set()
        try:
            with self._store.write() as session:
                workers.leave(session, self._name)
        except StoreBusy as error:
            log.warning("worker can't say goodbye reason=%s", error)

    def _run(self) -> None:
        while True:
            try:
                with self._store.write() as session:
                    if self._ended.is_set():
                        return
                    workers.report(session, self._look())
            except StoreBusy as error:
                log.warning("worker can't report reason=%s", error)
            except Exception:  # nobody would start this thread again
                log.exception("worker can't report")
            if self._ended.wait(EVERY_S):
                return

    def _look(self) -> Worker:
        accelerator = self._commentator.accelerator()
        return Worker(
            name=self._name,
            host=self._host,
            pid=self._pid,
            commentator=self._commentator.name,
            streams=self._commentator.streams,
            started_ms=self._started_ms,
            seen_ms=now_ms(),
            memory_bytes=_memory_bytes(),
            accelerator=accelerator.name[:80] if accelerator else None,
            accelerator_used_bytes=accelerator.used_bytes if accelerator else None,
            accelerator_total_bytes=accelerator.total_bytes if accelerator else None,
        )


def _memory_bytes() -> int:
    """Return the memory of this process that is in use, without its decoders'."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
