"""How far a job is, how fast it goes and how long it will take: from measured rates only."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.facts import duration_ms
from models.segments import count_stored_of
from models.tables import Job, JobState, Segment

_ENOUGH_SEGMENTS = 3  # before that, a rate says more about the start than about the job
_RECENT_MS = 300_000
_REMEMBERED_JOBS = 20


@dataclass(frozen=True, slots=True)
class Progress:
    windows_done: int
    windows_total: int
    realtime: float | None  # seconds of video commented per second of work; None: not known yet
    eta_ms: int | None  # of work still to do; None: not known, or nothing is being done


def progress_of(session: Session, job: Job) -> Progress:
    """Measure a job. A queued one is told by the rate of the last jobs of its commentator."""
    return progress_of_all(session, [job])[job.id]


def progress_of_all(session: Session, jobs: Sequence[Job]) -> dict[str, Progress]:
    """Measure several jobs with as many queries as one takes; return them by the job's id."""
    done = count_stored_of(session, [job.id for job in jobs])
    at_work = [job for job in jobs if _is_open(job)]
    rates = _recent_rates(session, at_work)
    unknown = {job.commentator for job in at_work if not rates.get(job.id)}
    past = {commentator: _past_rate(session, commentator) for commentator in unknown}
    return {
        job.id: _progress(job, done.get(job.id, 0), rates.get(job.id), past.get(job.commentator))
        for job in jobs
    }


def _is_open(job: Job) -> bool:
    return job.state in (JobState.QUEUED, JobState.RUNNING)


def _progress(job: Job, done: int, recent: float | None, past: float | None) -> Progress:
    if not _is_open(job):
        return Progress(done, job.window_count, _whole_rate(job, done - job.windows_taken), None)
    eta = None
    if expected := recent or past:
        left = job.window_count - done
        eta = round(duration_ms(job.video) * left / job.window_count / expected)
    return Progress(done, job.window_count, recent, eta)


def _recent_rates(session: Session, jobs: Sequence[Job]) -> dict[str, float]:
    """Return the rates of the last minutes, so that a time in which nobody worked is soon forgotten."""
    if not jobs:
        return {}
    now = now_ms()
    rows = session.execute(
        select(
            Segment.job_id,
            func.count(),
            func.sum(Segment.end_ms - Segment.start_ms),
            func.min(Segment.created_ms - Segment.total_ms),
        )
        .where(
            Segment.job_id.in_([job.id for job in jobs]),
            Segment.created_ms >= now - _RECENT_MS,
            Segment.taken_from.is_(None),
        )
        .group_by(Segment.job_id)
    )
    return {
        job_id: float(span_ms) / (now - float(begun_ms))
        for job_id, count, span_ms, begun_ms in rows
        if count >= _ENOUGH_SEGMENTS and now > begun_ms
    }


def _whole_rate(job: Job, done: int) -> float | None:
    """Return the rate over all the time that the job was worked on; `done` is what it said itself."""
    return (
        duration_ms(job.video) * done / job.window_count / job.ran_ms
        if job.ran_ms and done
        else None
    )


def _past_rate(session: Session, commentator: str) -> float | None:
    """Return seconds of video per second of work over the last finished jobs of a commentator."""
    past = session.scalars(
        select(Job)
        .where(Job.commentator == commentator, Job.state == JobState.DONE, Job.ran_ms > 0)
        .order_by(Job.finished_ms.desc())
        .limit(_REMEMBERED_JOBS)
    ).all()
    worked_ms = sum(job.ran_ms for job in past)
    return sum(_worked_on_ms(job) for job in past) / worked_ms if worked_ms else None


def _worked_on_ms(job: Job) -> float:
    """Return how much of the video a finished job has commented itself."""
    return duration_ms(job.video) * (1 - job.windows_taken / job.window_count)
