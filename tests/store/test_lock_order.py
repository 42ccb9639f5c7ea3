"""Those who write the same rows of Postgres at once wait for each other; none of them is told of a deadlock."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from models import chunks, jobs
from models.errors import BadFile, StoreBusy
from models.store import Store
from models.tables import AdditionKind, Chunk, JobState, Stage
from tests.packaging.processes import wait_for
from tests.store.rows import LEASE_MS, claim, make_job

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


def wait_for_a_waiter(store: Store) -> None:
    def somebody_waits() -> bool:
        with store.read() as session:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return bool(session.scalar(text(waiting)))

    wait_for(somebody_waits, "a waiter")


def test_a_transcript_asked_for_anew_waits_for_the_last_piece_of_the_old_one(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, has_audio=True)
        jobs.add(session, job.id, AdditionKind.TRANSCRIPT)
        speech = claim(session, job)
        assert speech is not None

    def ask() -> None:
        with store.write() as session:
            jobs.add(session, job.id, AdditionKind.TRANSCRIPT)

    with ThreadPoolExecutor(1) as others:
        with store.write() as session:
            asked: list[Future[None]] = []

            def meanwhile() -> None:
                asked.append(others.submit(ask))
                wait_for_a_waiter(store)

            chunks.store_step(session, speech, 0, LEASE_MS, meanwhile)
        asked[0].result()
    with store.read() as session:
        assert jobs.get_job(session, job.id).stage == Stage.SPEECH  # it is made anew


def test_a_retry_waits_for_the_last_window_of_a_chunk_that_is_still_at_work(store: Store) -> None:
    """Who ends a chunk has it first and then its job; so has who retries the job."""
    with store.write() as session:
        job = make_job(session, seconds=8, chunk_windows=1)
        at_work = claim(session, job)
        assert at_work is not None
        jobs.fail(session, job.id, BadFile("The other chunk can't be read."), 1)

    def retry() -> None:
        with store.write() as session:
            jobs.retry(session, job.id)

    with ThreadPoolExecutor(1) as others:
        with store.write() as session:
            retried: list[Future[None]] = []

            def meanwhile() -> None:
                retried.append(others.submit(retry))
                wait_for_a_waiter(store)

            chunks.store_step(session, at_work, 0, LEASE_MS, meanwhile)
        retried[0].result()
    with store.read() as session:
        assert jobs.get_job(session, job.id).state is JobState.QUEUED


def test_two_pieces_of_a_transcript_may_fail_at_once(store: Store) -> None:
    """Each drops the chunks of both."""
    with store.write() as session:
        job = make_job(session, seconds=200, has_audio=True)
        jobs.add(session, job.id, AdditionKind.TRANSCRIPT)
        speech = [claim(session, job), claim(session, job)]
    one, other = (it for it in speech if it is not None)
    assert (one.stage, other.stage) == (Stage.SPEECH, Stage.SPEECH)

    def fail() -> None:
        with store.write() as session:
            chunks.release_failed(session, other, BadFile("The sound ends early."), final=True)

    with ThreadPoolExecutor(1) as others:
        with store.write() as session:
            chunks.release_failed(session, one, BadFile("The sound ends early."), final=False)
            failed = others.submit(fail)
            wait_for_a_waiter(store)
            jobs.fail(session, job.id, BadFile("The sound ends early."), 0, Stage.SPEECH)
        with suppress(chunks.LeaseLost):
            failed.result()
    with store.read() as session:
        assert session.scalars(select(Chunk.id).where(Chunk.stage == Stage.SPEECH)).all() == []


@pytest.mark.parametrize(
    "write",
    [
        lambda session, job_id: jobs.cancel(session, job_id),
        lambda session, _: chunks.renew_leases(session, ["ann", "ben", "cem"], LEASE_MS),
    ],
    ids=["cancel", "renew"],
)
def test_chunks_are_locked_in_the_order_of_their_ids(
    store: Store, write: Callable[[Session, str], object]
) -> None:
    with store.write() as session:
        job = make_job(session, seconds=12, chunk_windows=1)
        for owner in ("ann", "ben", "cem"):
            claim(session, job, owner)
    with store.write() as session:  # the last on the disk becomes the first by its id
        ids = session.scalars(select(Chunk.id).order_by(Chunk.id)).all()
        session.execute(update(Chunk).where(Chunk.id == ids[-1]).values(id=-1))

    def write_at_once() -> None:
        with store.write() as session:
            write(session, job.id)

    def lock(session: Session, chunk_id: int) -> None:
        session.execute(
            select(Chunk.id).where(Chunk.id == chunk_id).with_for_update(nowait=True)
        ).one()

    with ThreadPoolExecutor(1) as others:
        with store.write() as session:
            lock(session, -1)
            written = others.submit(write_at_once)
            wait_for_a_waiter(store)
            lock(session, ids[0])
        written.result()


def test_people_are_told_no_more_than_the_first_line_of_the_databases_words(store: Store) -> None:
    problem = (
        "DO $$ BEGIN RAISE 'deadlock detected' USING ERRCODE = '40P01', DETAIL = 'Process 30812'; "
        "END $$"
    )
    with pytest.raises(StoreBusy) as told, store.write() as session:
        session.execute(text(problem))
    assert str(told.value).startswith("The store can't be used just now (deadlock detected). ")
