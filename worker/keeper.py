"""Keeps the leases of a worker process alive, shows what its threads are writing, tells them when
nobody wants it any more, and ends the process when a call hangs.

A thread that hangs in a network or a library can't be killed. The process can: its supervisor starts
it again, and the leases bring the work back.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from models import chunks
from models.chunks import Claim
from models.errors import StoreBusy, TimedOut
from models.store import Store
from worker.commentator import Draft
from worker.guard import clean

log = logging.getLogger(__name__)

EXIT_STATUS_AGAIN = 75  # EX_TEMPFAIL: start me again

_LONGEST_END_S = 5.0
_LOOK_S = 0.5


@dataclass(slots=True, eq=False)
class _Call:
    """A call of the commentator under way."""

    window: int
    draft: Draft = field(default_factory=Draft)
    begun: float = field(default_factory=time.monotonic)
    shown: str = ""  # of the draft, by now


class Keeper:
    """Watches the claims that the threads of this process hold."""

    def __init__(self, store: Store, lease_ms: int, call_timeout_s: float) -> None:
        self._store = store
        self._lease_ms = lease_ms
        self._call_timeout_s = call_timeout_s
        self._lock = threading.Lock()
        self._held: set[Claim] = set()
        self._calls: dict[Claim, _Call] = {}
        self._renew_at = 0.0  # monotonic seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="keeper", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Watch no longer, and leave the store; one that hangs holds nobody up."""
        self._ended.set()
        self._thread.join(_LONGEST_END_S)

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
    def watch_call(self, claim: Claim, window: int) -> Iterator[Draft]:
        """Yield a draft for the block, a call of the commentator, and show what it holds.

        The draft becomes unwanted when the claim is lost. A call that takes longer than is allowed
        ends the process.
        """
        call = _Call(window)
        with self._lock:
            self._calls[claim] = call
        try:
            yield call.draft
        finally:
            with self._lock:
                del self._calls[claim]

    def _watch(self) -> None:
        pause_s = min(_LOOK_S, self._lease_ms / 4000, self._call_timeout_s / 4)
        while not self._ended.wait(pause_s):
            with self._lock:
                held, calls = list(self._held), dict(self._calls)
            self._end_if_hung(held, calls)
            try:
                if held:
                    self._look_after([claim.owner for claim in held], calls)
            except StoreBusy as error:
                log.warning("leases not renewed reason=%s", error)
            except Exception:  # nobody would start this thread again
                log.exception("leases not renewed")

    def _look_after(self, held: list[str], calls: dict[Claim, _Call]) -> None:
        """Renew, show and look whether the claims still hold: in one transaction for all of them."""
        texts = {claim: clean(call.draft.text) for claim, call in calls.items()}
        new = {
            claim.owner: (calls[claim].window, text)
            for claim, text in texts.items()
            if text != calls[claim].shown
        }
        now = time.monotonic()
        is_due = now >= self._renew_at
        with self._store.write() if is_due or new else self._store.read() as session:
            if is_due:
                chunks.renew_leases(session, held, self._lease_ms)
            chunks.write_partial(session, new)
            alive = chunks.owners_alive(session, held)
        if is_due:
            self._renew_at = now + self._lease_ms / 4000
        for claim, call in calls.items():
            call.shown = texts[claim]
            if claim.owner not in alive:
                call.draft.unwanted.set()

    def _end_if_hung(self, held: list[Claim], calls: dict[Claim, _Call]) -> None:
        now = time.monotonic()
        hung = {claim for claim, call in calls.items() if now - call.begun > self._call_timeout_s}
        if not hung:
            return
        for claim in hung:
            log.critical(
                "call hangs, ending the process job_id=%s chunk_id=%d", claim.job_id, claim.chunk_id
            )
        try:
            self._hand_over(held, hung)
        except StoreBusy as error:
            log.warning("chunks not handed over, their leases run out reason=%s", error)
        finally:
            os._exit(EXIT_STATUS_AGAIN)

    def _hand_over(self, held: list[Claim], hung: set[Claim]) -> None:
        """Let others have the chunks at once; only those that hang have used up an attempt."""
        failure = TimedOut(
            f"A window took longer than {self._call_timeout_s:g} s (setting CALL_TIMEOUT_SECONDS). "
            "Retry, or allow more time."
        )
        with self._store.write() as session:
            for claim in held:
                chunks.let_expire(session, claim, failure if claim in hung else None)
