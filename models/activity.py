"""What goes on over all jobs: how much is done, how much waits, what failed."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.tables import Chunk, Job, JobState, Segment, Stage

SPAN_MS = 3600_000
STEP_MS = 60_000


@dataclass(frozen=True, slots=True)
class Minute:
    """What was stored in a step of time that began at `start_ms`."""

    start_ms: int
    windows: int
    video_ms: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is still to do for one commentator."""

    commentator: str
    jobs: int
    windows: int


def throughput(session: Session) -> list[Minute]:
    """Return the last hour minute by minute, the present one last; minutes without work as well."""
    now = now_ms()
    first = now // STEP_MS * STEP_MS - SPAN_MS + STEP_MS
    step = (Segment.created_ms - Segment.created_ms % STEP_MS).label("step")
    rows = session.execute(
        select(
            step,
            func.count(),
            func.sum(Segment.end_ms - Segment.start_ms),
            func.sum(Segment.tokens_out),
        )
        .where(Segment.created_ms >= first, Segment.taken_from.is_(None))
        .group_by(step)
    )
    stored = {
        start: (count, int(video or 0), int(tokens or 0)) for start, count, video, tokens in rows
    }
    return [
        Minute(start, *stored.get(start, (0, 0, 0)))
        for start in range(first, first + SPAN_MS, STEP_MS)
    ]


def queue(session: Session) -> list[Waiting]:
    """Return what waits for, or is with, each commentator."""
    rows = session.execute(
        select(
            Job.commentator,
            func.count(func.distinct(Job.id)),
            func.sum(case((Chunk.stage == Stage.WINDOWS, Chunk.stop - Chunk.cursor), else_=0)),
        )
        .join(Chunk, Chunk.job_id == Job.id)
        .where(Job.state.in_((JobState.QUEUED, JobState.RUNNING)), Chunk.cursor < Chunk.stop)
        .group_by(Job.commentator)
        .order_by(Job.commentator)
    )
    return [Waiting(commentator, jobs, windows or 0) for commentator, jobs, windows in rows]


def oldest_age_ms(session: Session) -> int:
    """Return for how long the oldest queued job that nobody has begun is here; 0 if there is none.

    One that was begun, and waits again since a pause or a retry, would count the time before it as well.
    """
    oldest = session.scalar(
        select(func.min(Job.created_ms)).where(
            Job.state == JobState.QUEUED, Job.started_ms.is_(None)
        )
    )
    return 0 if oldest is None else max(0, now_ms() - oldest)


def failures(session: Session) -> Mapping[str, int]:
    """Count the failed jobs of each kind of failure, most first."""
    rows = session.execute(
        select(Job.failure_kind, func.count())
        .where(Job.state == JobState.FAILED)
        .group_by(Job.failure_kind)
        .order_by(func.count().desc(), Job.failure_kind)
    )
    return {kind: count for kind, count in rows if kind}
