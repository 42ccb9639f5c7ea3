"""Jobs: what people ask for, and the states it goes through.

    queued → running → done | failed | cancelled;  queued, running ⇄ paused;  failed, cancelled → queued

Everybody who writes both a job and its chunks locks the chunks first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import AppError, Conflict, InvalidRequest, NotFound
from models.parameters import Parameters
from models.tables import Chunk, Job, JobState, Segment, Video, is_id

PRIORITIES = range(-10, 11)


@dataclass(frozen=True, slots=True)
class Hints:
    """Messages to send once the transaction has committed: "this job has work"."""

    job_id: str
    commentator: str
    epoch: int
    count: int


def create_job(
    session: Session,
    video: Video,
    filename: str,
    parameters: Parameters,
    *,
    chunk_windows: int,
    priority: int = 0,
) -> Job:
    """Queue a video, cut into chunks of `chunk_windows` windows; send_hints() follows the commit."""
    _check_priority(priority)
    window_count = len(parameters.plan(video))
    now = now_ms()
    job = Job(
        video=video,
        filename=filename,
        commentator=parameters.commentator,
        parameters=parameters.to_json(),
        window_count=window_count,
        priority=priority,
        created_ms=now,
        hinted_ms=now,
    )
    session.add(job)
    session.flush()
    session.execute(
        insert(Chunk),
        [
            {
                "job_id": job.id,
                "first": first,
                "stop": min(first + chunk_windows, window_count),
                "cursor": first,
                "attempts": 0,
            }
            for first in range(0, window_count, chunk_windows)
        ],
    )
    return job


def get_job(session: Session, job_id: str) -> Job:
    job = session.get(Job, job_id) if is_id(job_id) else None
    if job is None:
        raise NotFound(f"There is no job {job_id[:40]!r}; it may have been deleted.")
    return job


def list_jobs(
    session: Session, *, limit: int, before: Job | None = None, state: JobState | None = None
) -> Sequence[Job]:
    """Return jobs, newest first; `before` continues a list after its last job."""
    statement = select(Job).order_by(Job.created_ms.desc(), Job.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(
            (Job.created_ms < before.created_ms)
            | ((Job.created_ms == before.created_ms) & (Job.id < before.id))
        )
    if state is not None:
        statement = statement.where(Job.state == state)
    return session.scalars(statement).all()


def count_jobs(session: Session) -> dict[JobState, int]:
    """Count the jobs of each state that occurs."""
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {state: count for state, count in rows}  # noqa: C416 (a row is no pair to mypy)


def open_hints(session: Session, job: Job, parallelism: int) -> Hints:
    """Void the hints that are about and return new ones, at most one for each unfinished chunk."""
    unfinished = session.scalar(
        select(func.count())
        .select_from(Chunk)
        .where(Chunk.job_id == job.id, Chunk.cursor < Chunk.stop)
    )
    job.hint_epoch += 1
    job.hinted_ms = now_ms()
    session.flush()
    return Hints(job.id, job.commentator, job.hint_epoch, min(unfinished or 0, parallelism))


def cancel(session: Session, job_id: str) -> Job:
    """End a job; what is under way is fenced off and written nowhere."""
    get_job(session, job_id)
    session.execute(
        update(Chunk)
        .where(Chunk.job_id == job_id, Chunk.cursor < Chunk.stop)
        .values(owner=None, lease_until_ms=None)
    )
    job = lock_job(session, job_id)
    _allow(job, "cancelled", JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
    _enter(job, JobState.CANCELLED)
    return job


def pause(session: Session, job_id: str) -> Job:
    """Let the windows under way finish and begin no more."""
    job = lock_job(session, job_id)
    _allow(job, "paused", JobState.QUEUED, JobState.RUNNING)
    _enter(job, JobState.PAUSED)
    return job


def resume(session: Session, job_id: str) -> Job:
    """Queue a paused job again; it goes on where it stopped."""
    job = lock_job(session, job_id)
    _allow(job, "resumed", JobState.PAUSED)
    _enter(job, JobState.QUEUED)
    return job


def retry(session: Session, job_id: str) -> Job:
    """Queue a failed or cancelled job again; it goes on at its first missing window."""
    get_job(session, job_id)
    session.execute(
        update(Chunk)
        .where(Chunk.job_id == job_id, Chunk.cursor < Chunk.stop)
        .values(attempts=0, failure_kind=None, failure_text=None)
    )
    job = lock_job(session, job_id)
    _allow(job, "retried", JobState.FAILED, JobState.CANCELLED)
    job.failure_kind = job.failure_text = job.failure_window = None
    _enter(job, JobState.QUEUED)
    return job


def set_priority(session: Session, job_id: str, priority: int) -> Job:
    """Move a job before (higher) or behind (lower) others; the next free worker heeds it."""
    _check_priority(priority)
    job = lock_job(session, job_id)
    job.priority = priority
    return job


def delete_job(session: Session, job_id: str) -> str:
    """Delete a job with all that was said; return the id of its video."""
    job = get_job(session, job_id)
    for table in (Chunk, Segment):
        session.execute(delete(table).where(table.job_id == job_id))
    session.execute(delete(Job).where(Job.id == job_id))
    session.expunge(job)
    return job.video_id


def begin(session: Session, job_id: str) -> None:
    """Note that a chunk of the job is being worked on."""
    now = now_ms()
    _forget_rest(session, job_id, now)
    session.execute(update(Job).where(Job.id == job_id).values(hinted_ms=now))
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(
            state=JobState.RUNNING,
            started_ms=func.coalesce(Job.started_ms, now),
            running_since_ms=now,
        )
    )


def _forget_rest(session: Session, job_id: str, now: int) -> None:
    """End the stretch of work at its last segment if nobody has worked on the job since."""
    at_work = select(func.count()).where(Chunk.job_id == job_id, Chunk.owner.is_not(None))
    if (session.scalar(at_work) or 0) > 1:  # others than the chunk that begins now
        return
    last = session.scalar(select(func.max(Segment.created_ms)).where(Segment.job_id == job_id))
    rested_since = func.coalesce(last, Job.running_since_ms)
    worked = case(
        (rested_since > Job.running_since_ms, rested_since - Job.running_since_ms), else_=0
    )
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.running_since_ms.is_not(None))
        .values(ran_ms=Job.ran_ms + worked, running_since_ms=now)
    )


def finish_if_complete(session: Session, job_id: str) -> None:
    """End the job as done when no window is missing. The lock keeps two last chunks from missing it."""
    job = lock_job(session, job_id)
    missing = session.scalar(
        select(exists().where(Chunk.job_id == job_id, Chunk.cursor < Chunk.stop))
    )
    if not missing and not job.state.ended:
        _enter(job, JobState.DONE)


def fail(session: Session, job_id: str, failure: AppError, window: int) -> None:
    """End the job as failed, unless it has ended or been paused otherwise meanwhile."""
    job = lock_job(session, job_id)
    if job.state.ended:
        return
    job.failure_kind, job.failure_text, job.failure_window = failure.kind, str(failure), window
    _enter(job, JobState.FAILED)


def lock_job(session: Session, job_id: str) -> Job:
    """Return the job, kept from other writers until the transaction ends."""
    job = session.scalar(
        select(Job)
        .where(Job.id == job_id)
        .with_for_update(of=Job, key_share=True)  # a segment just inserted shares the job's key
        .execution_options(populate_existing=True)
    )
    if job is None:
        raise NotFound(f"There is no job {job_id[:40]!r}; it may have been deleted.")
    return job


def _enter(job: Job, state: JobState) -> None:
    now = now_ms()
    if job.running_since_ms is not None:
        job.ran_ms += max(0, now - job.running_since_ms)
        job.running_since_ms = None
    job.finished_ms = now if state.ended else None
    job.state = state


def _allow(job: Job, wish: str, *states: JobState) -> None:
    if job.state not in states:
        raise Conflict(f"A job that is {job.state} can't be {wish}.")


def _check_priority(priority: int) -> None:
    if priority not in PRIORITIES:
        raise InvalidRequest(
            f"Priority must be a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}, not {priority}."
        )
