"""How far a job is, how fast it goes and how long it will take: from measured rates only."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.segments import count_stored
from models.tables import Job, JobState, Segment
from models.videos import duration_ms

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
    done = count_stored(session, job.id)
    is_open = job.state in (JobState.QUEUED, JobState.RUNNING)
    rate = _recent_rate(session, job) if is_open else _whole_rate(job, done)
    expected = rate or (_past_rate(session, job.commentator) if is_open else None)
    eta = None
    if expected and is_open:
        left = job.window_count - done
        eta = round(duration_ms(job.video) * left / job.window_count / expected)
    return Progress(done, job.window_count, rate, eta)


def _recent_rate(session: Session, job: Job) -> float | None:
    """Return the rate of the last minutes, so that a time in which nobody worked is soon forgotten."""
    now = now_ms()
    count, span_ms, begun_ms = session.execute(
        select(
            func.count(),
            func.sum(Segment.end_ms - Segment.start_ms),
            func.min(Segment.created_ms - Segment.total_ms),
        ).where(Segment.job_id == job.id, Segment.created_ms >= now - _RECENT_MS)
    ).one()
    if count < _ENOUGH_SEGMENTS or now <= begun_ms:
        return None
    return float(span_ms) / (now - float(begun_ms))


def _whole_rate(job: Job, done: int) -> float | None:
    """Return the rate over all the time that the job was worked on."""
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
    return sum(duration_ms(job.video) for job in past) / worked_ms if worked_ms else None
