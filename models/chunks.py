"""Chunks: runs of windows, leased to one owner at a time.

An owner's token fences every write: whoever froze past its lease and wakes up again finds the token
gone and writes nothing. `attempts` counts claims since a window was last stored, so a window that
kills whoever touches it ends its job after MAX_ATTEMPTS instead of going round for ever.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from models import jobs
from models.clock import now_ms
from models.errors import FAILURES, AppError, NotFound, WorkerLost
from models.tables import Chunk, Job, JobState, Segment

MAX_ATTEMPTS = 3


class LeaseLost(Exception):
    """The chunk has another owner, or none: what was worked out for it is not wanted."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to comment windows [cursor, stop) of a job, while the lease is renewed."""

    chunk_id: int
    job_id: str
    owner: str
    first: int
    cursor: int
    stop: int
    attempts: int  # this one counted


def claim_chunk(
    session: Session, job_id: str, epoch: int, owner: str, lease_ms: int
) -> Claim | None:
    """Follow a hint: lease the first free chunk of the job, or of one that goes before it.

    None: the hint is void, or nothing is free (done, paused, cancelled, or all in live hands).
    """
    job = session.get(Job, job_id)
    if job is None or job.hint_epoch != epoch:
        return None
    chunk_id = _free_chunk(session, _job_to_serve(session, job)) or _free_chunk(session, job_id)
    if chunk_id is None:
        return None
    row = session.execute(
        update(Chunk)
        .where(Chunk.id == chunk_id, Chunk.owner.is_(None))
        .values(owner=owner, lease_until_ms=now_ms() + lease_ms, attempts=Chunk.attempts + 1)
        .returning(Chunk.job_id, Chunk.first, Chunk.cursor, Chunk.stop, Chunk.attempts)
    ).one_or_none()
    if row is None:
        return None
    jobs.begin(session, row.job_id)
    return Claim(chunk_id, row.job_id, owner, row.first, row.cursor, row.stop, row.attempts)


def _is_free() -> ColumnElement[bool]:
    return Chunk.owner.is_(None) & (Chunk.cursor < Chunk.stop)


def _is_open() -> ColumnElement[bool]:
    return Job.state.in_((JobState.QUEUED, JobState.RUNNING))


def _job_to_serve(session: Session, job: Job) -> str | None:
    """Return the most urgent job; of equally urgent ones, that which was not served for longest.

    So jobs take turns, however many hints of one of them stand before those of the others.
    """
    return session.scalar(
        select(Job.id)
        .where(
            Job.priority >= job.priority,
            Job.commentator == job.commentator,
            _is_open(),
            exists().where(Chunk.job_id == Job.id, _is_free()),
        )
        .order_by(Job.priority.desc(), Job.hinted_ms, Job.created_ms)
        .limit(1)
    )


def _free_chunk(session: Session, job_id: str | None) -> int | None:
    if job_id is None:
        return None
    return session.scalar(
        select(Chunk.id)
        .join(Job, Job.id == Chunk.job_id)
        .where(Chunk.job_id == job_id, _is_free(), _is_open())
        .order_by(Chunk.first)
        .limit(1)
        .with_for_update(of=Chunk, skip_locked=True)
    )


def store_segment(session: Session, claim: Claim, segment: Segment, lease_ms: int) -> bool:
    """Store a window's segment and move the cursor past it; True while the job wants more.

    Raises LeaseLost. The job ends as done with its last segment, in the same transaction.
    """
    moved = session.execute(
        update(Chunk)
        .where(
            Chunk.id == claim.chunk_id, Chunk.owner == claim.owner, Chunk.cursor == segment.index
        )
        .values(
            cursor=segment.index + 1,
            lease_until_ms=now_ms() + lease_ms,
            attempts=1,
            failure_kind=None,
            failure_text=None,
        )
        .returning(Chunk.id)
    ).one_or_none()
    if moved is None:
        raise LeaseLost
    session.add(segment)
    session.flush()
    if segment.index + 1 == claim.stop:
        jobs.finish_if_complete(session, claim.job_id)
    return session.scalar(select(_is_open()).where(Job.id == claim.job_id)) or False


def has_free_chunk(session: Session, job_id: str) -> bool:
    """Tell whether a hint for this job would find work."""
    free = select(Chunk.id).join(Job, Job.id == Chunk.job_id)
    return (
        session.scalar(free.where(Chunk.job_id == job_id, _is_free(), _is_open()).limit(1))
        is not None
    )


def release(session: Session, claim: Claim) -> None:
    """Give the chunk back in good order: the attempt doesn't count."""
    session.execute(
        update(Chunk)
        .where(Chunk.id == claim.chunk_id, Chunk.owner == claim.owner)
        .values(owner=None, lease_until_ms=None, attempts=Chunk.attempts - 1)
    )


def release_failed(session: Session, claim: Claim, failure: AppError, *, final: bool) -> bool:
    """Give the chunk back after an error; the last attempt, or a final error, fails the job.

    Returns whether the chunk may be tried again. Raises LeaseLost.
    """
    row = session.execute(
        update(Chunk)
        .where(Chunk.id == claim.chunk_id, Chunk.owner == claim.owner)
        .values(
            owner=None,
            lease_until_ms=None,
            failure_kind=failure.kind,
            failure_text=str(failure),
        )
        .returning(Chunk.attempts, Chunk.cursor)
    ).one_or_none()
    if row is None:
        raise LeaseLost
    if not final and row.attempts < MAX_ATTEMPTS:
        return True
    jobs.fail(session, claim.job_id, failure, row.cursor)
    return False


def renew_leases(session: Session, owners: Sequence[str], lease_ms: int) -> None:
    """Keep the chunks of owners that are alive."""
    session.execute(
        update(Chunk).where(Chunk.owner.in_(owners)).values(lease_until_ms=now_ms() + lease_ms)
    )


def free_expired(session: Session) -> Counter[str]:
    """Take the chunks of silent owners back; return how many each job may have done again.

    The silent owner's hint went with it: the caller sends one for each chunk.
    """
    expired = session.scalars(
        select(Chunk)
        .where(Chunk.lease_until_ms < now_ms())
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    freed: Counter[str] = Counter()
    for chunk in expired:
        chunk.owner = chunk.lease_until_ms = None
        if chunk.cursor < chunk.stop and chunk.attempts >= MAX_ATTEMPTS:
            session.flush()
            jobs.fail(session, chunk.job_id, _last_failure(chunk), chunk.cursor)
        elif chunk.cursor < chunk.stop:
            freed[chunk.job_id] += 1
    return freed


def _last_failure(chunk: Chunk) -> AppError:
    if chunk.failure_kind is not None:
        return FAILURES[chunk.failure_kind](chunk.failure_text)
    return WorkerLost(
        f"The worker ended {chunk.attempts} times while it was at this window; something in the video or "
        "on the worker's machine brings it down. See the worker's log, then retry."
    )


def jobs_without_hints(session: Session, *, idle_ms: int) -> Sequence[Job]:
    """Return open jobs with free chunks on which nothing has happened for `idle_ms`."""
    return session.scalars(
        select(Job)
        .where(
            _is_open(),
            Job.hinted_ms < now_ms() - idle_ms,
            exists().where(Chunk.job_id == Job.id, _is_free()),
        )
        .order_by(Job.priority.desc(), Job.created_ms)
        .with_for_update(of=Job, skip_locked=True, key_share=True)
    ).all()


def finish_stuck(session: Session) -> None:
    """End open jobs that miss no window."""
    stuck = select(Job.id).where(
        _is_open(), ~exists().where(Chunk.job_id == Job.id, Chunk.cursor < Chunk.stop)
    )
    for job_id in session.scalars(stuck).all():
        with suppress(NotFound):  # deleted meanwhile
            jobs.finish_if_complete(session, job_id)
