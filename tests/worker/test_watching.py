"""The threads that look after a worker process outlive an error of the store, of whatever kind."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select, text

from models import chunks
from models.chunks import Claim
from models.ids import new_id
from models.store import Store
from models.tables import Chunk, Worker
from tests.packaging.processes import wait_for
from tests.store.rows import make_job
from tests.worker.test_advance import Counting
from worker import presence
from worker.keeper import Keeper
from worker.presence import Presence

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def refusing(store: Store, event: str) -> Iterator[None]:
    """Let the store refuse what a table is to take, with an error that waiting won't mend."""
    with store.write() as session:
        refuse = "BEGIN SELECT RAISE(ABORT, 'not this'); END"
        session.execute(text(f"CREATE TRIGGER refusing BEFORE {event} {refuse}"))
    try:
        yield
    finally:
        with store.write() as session:
            session.execute(text("DROP TRIGGER refusing"))


def test_leases_are_renewed_again_after_an_error(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keeper(store, lease_ms=400, call_timeout_s=120)
    with store.write() as session:
        job = make_job(session)
        claim = chunks.claim_chunk(session, job.id, job.hint_epoch, new_id(), 400)
    assert claim is not None
    try:
        with refusing(store, "UPDATE ON chunks"), keeper.hold(claim):
            wait_for(lambda: "leases not renewed" in caplog.text, "the error")
        with keeper.hold(claim):
            before = _lease(store, claim)
            wait_for(lambda: _lease(store, claim) > before, "a renewal")
    finally:
        keeper.end()


def _lease(store: Store, claim: Claim) -> int:
    with store.read() as session:
        return session.scalar(select(Chunk.lease_until_ms).where(Chunk.id == claim.chunk_id)) or 0


def test_a_worker_reports_again_after_an_error(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "EVERY_S", 0.1)
    with refusing(store, "INSERT ON workers"):
        reporter = Presence(store, Counting())
        wait_for(lambda: "worker can't report" in caplog.text, "the error")
    wait_for(lambda: _workers(store), "a report")
    reporter.end()
    assert _workers(store) == []


def _workers(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.scalars(select(Worker.name)))
