"""How far a job is, how fast it goes and how long it will take: from measured rates only."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.segments import count_stored
from models.tables import Job, JobState, Segment
from models.videos import duration_ms

_ENOUGH_SEGMENTS = 3  # before that, a rate says more about the start than about the job
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
    rate = _own_rate(session, job)
    expected = rate or (None if job.state.ended else _past_rate(session, job.commentator))
    left = job.window_count - done
    eta = None
    if expected and job.state in (JobState.QUEUED, JobState.RUNNING):
        eta = round(duration_ms(job.video) * left / job.window_count / expected)
    return Progress(done, job.window_count, rate, eta)


def _own_rate(session: Session, job: Job) -> float | None:
    """Return the rate of the stretch under way, or of the whole job once it rests."""
    now = now_ms()
    since = job.running_since_ms or 0
    worked_ms = now - since if job.running_since_ms is not None else job.ran_ms
    count, span_ms = session.execute(
        select(func.count(), func.sum(Segment.end_ms - Segment.start_ms)).where(
            Segment.job_id == job.id, Segment.created_ms >= since
        )
    ).one()
    if (
        worked_ms <= 0
        or not count
        or (count < _ENOUGH_SEGMENTS and job.running_since_ms is not None)
    ):
        return None
    return float(span_ms) / worked_ms


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
