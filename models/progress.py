"""How far a job is, how fast it goes and how long it will take: from measured rates only."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.tables import Chunk, Job, JobState, Segment
from models.videos import seconds
from models.windows import milliseconds

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
    done = session.scalar(
        select(func.sum(Chunk.cursor - Chunk.first)).where(Chunk.job_id == job.id)
    )
    rate = _own_rate(session, job)
    expected = rate or (None if job.state.ended else past_rate(session, job.commentator))
    left = job.window_count - (done or 0)
    eta = None
    if expected and job.state in (JobState.QUEUED, JobState.RUNNING):
        eta = round(duration_ms(job) * left / job.window_count / expected)
    return Progress(done or 0, job.window_count, rate, eta)


def duration_ms(job: Job) -> int:
    return milliseconds(seconds(job.video, job.video.end_pts))


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


def past_rate(session: Session, commentator: str) -> float | None:
    """Return seconds of video per second of work over the last finished jobs of a commentator."""
    past = session.scalars(
        select(Job)
        .where(Job.commentator == commentator, Job.state == JobState.DONE, Job.ran_ms > 0)
        .order_by(Job.finished_ms.desc())
        .limit(_REMEMBERED_JOBS)
    ).all()
    worked_ms = sum(job.ran_ms for job in past)
    return sum(map(duration_ms, past)) / worked_ms if worked_ms else None
