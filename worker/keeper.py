"""Keeps the leases of a worker process alive, and ends the process when a call hangs.

A thread that hangs in a network or a library can't be killed. The process can: its supervisor starts
it again, and the leases bring the work back.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from models import chunks
from models.chunks import Claim, LeaseLost
from models.errors import StoreBusy, TimedOut
from models.store import Store

log = logging.getLogger(__name__)

EXIT_STATUS_HUNG = 75  # EX_TEMPFAIL: start me again


class Keeper:
    """Watches the claims that the threads of this process hold."""

    def __init__(self, store: Store, lease_ms: int, call_timeout_s: float) -> None:
        self._store = store
        self._lease_ms = lease_ms
        self._call_timeout_s = call_timeout_s
        self._lock = threading.Lock()
        self._moved: dict[Claim, float] = {}  # monotonic seconds of the last sign of life
        threading.Thread(target=self._watch, name="keeper", daemon=True).start()

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[None]:
        """Renew the claim's lease for as long as the block moves on."""
        self.moved(claim)
        try:
            yield
        finally:
            with self._lock:
                del self._moved[claim]

    def moved(self, claim: Claim) -> None:
        """Note that the claim's thread is alive."""
        with self._lock:
            self._moved[claim] = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(min(self._lease_ms / 4000, self._call_timeout_s / 4))
            with self._lock:
                moved = dict(self._moved)
            try:
                self._end_if_hung(moved)
                self._renew(moved)
            except StoreBusy as error:
                log.warning("leases not renewed reason=%s", error)

    def _renew(self, moved: dict[Claim, float]) -> None:
        if moved:
            with self._store.write() as session:
                chunks.renew_leases(session, [claim.owner for claim in moved], self._lease_ms)

    def _end_if_hung(self, moved: dict[Claim, float]) -> None:
        now = time.monotonic()
        hung = [claim for claim, moved_at in moved.items() if now - moved_at > self._call_timeout_s]
        if not hung:
            return
        for claim in hung:
            log.critical("call hangs, ending the process job_id=%s", claim.job_id)
            self._give_back(claim)
        os._exit(EXIT_STATUS_HUNG)

    def _give_back(self, claim: Claim) -> None:
        failure = TimedOut(
            f"A window took longer than {self._call_timeout_s:g} s (setting CALL_TIMEOUT_SECONDS). "
            "Retry, or allow more time."
        )
        try:
            with self._store.write() as session:
                chunks.release_failed(session, claim, failure, final=False)
        except (LeaseLost, StoreBusy) as error:
            log.warning("chunk not given back job_id=%s reason=%r", claim.job_id, error)
