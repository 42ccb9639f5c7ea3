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
        self._held: set[Claim] = set()
        self._calls: dict[Claim, float] = {}  # monotonic seconds at which each call began
        threading.Thread(target=self._watch, name="keeper", daemon=True).start()

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[None]:
        """Renew the claim's lease until the block ends."""
        with self._lock:
            self._held.add(claim)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(claim)

    @contextmanager
    def watch_call(self, claim: Claim) -> Iterator[None]:
        """End the process if the block, a call of the commentator, takes longer than is allowed."""
        with self._lock:
            self._calls[claim] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._calls[claim]

    def _watch(self) -> None:
        while True:
            time.sleep(min(self._lease_ms / 4000, self._call_timeout_s / 4))
            with self._lock:
                held, calls = list(self._held), dict(self._calls)
            try:
                self._end_if_hung(calls)
                self._renew(held)
            except StoreBusy as error:
                log.warning("leases not renewed reason=%s", error)

    def _renew(self, held: list[Claim]) -> None:
        if held:
            with self._store.write() as session:
                chunks.renew_leases(session, [claim.owner for claim in held], self._lease_ms)

    def _end_if_hung(self, calls: dict[Claim, float]) -> None:
        now = time.monotonic()
        hung = [claim for claim, begun in calls.items() if now - begun > self._call_timeout_s]
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
