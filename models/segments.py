"""Segments: what was said of each window."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.tables import Chunk, CommentKind, Job, Segment


def list_segments(
    session: Session, job_id: str, *, since: int = 0, limit: int | None = None
) -> Sequence[Segment]:
    """Return the stored segments from window `since` on, in order; windows under way are missing."""
    return session.scalars(
        select(Segment)
        .where(Segment.job_id == job_id, Segment.index >= since)
        .order_by(Segment.index)
        .limit(limit)
    ).all()


def last_said(session: Session, job_id: str, first: int, before: int) -> Segment | None:
    """Return the last segment that says something among windows [first, before)."""
    return session.scalar(
        select(Segment)
        .where(
            Segment.job_id == job_id,
            Segment.index >= first,
            Segment.index < before,
            Segment.kind == CommentKind.SAID,
        )
        .order_by(Segment.index.desc())
        .limit(1)
    )


def first_missing(session: Session, job: Job) -> int:
    """Return the first window that has no segment yet; the window count if none is missing."""
    missing = session.scalar(
        select(func.min(Chunk.cursor)).where(Chunk.job_id == job.id, Chunk.cursor < Chunk.stop)
    )
    return job.window_count if missing is None else missing


def count_stored(session: Session, job_id: str) -> int:
    """Count the windows that have their segment, without touching the segments."""
    return (
        session.scalar(select(func.sum(Chunk.cursor - Chunk.first)).where(Chunk.job_id == job_id))
        or 0
    )


def stored_spans(session: Session, job_id: str) -> Sequence[tuple[int, int]]:
    """Return the runs [first, stop) of windows that have their segment: one a chunk begun, in order."""
    rows = session.execute(
        select(Chunk.first, Chunk.cursor)
        .where(Chunk.job_id == job_id, Chunk.cursor > Chunk.first)
        .order_by(Chunk.first)
    )
    return [(first, cursor) for first, cursor in rows]
