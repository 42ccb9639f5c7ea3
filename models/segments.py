"""Segments: what was said of each window."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.tables import CommentKind, Segment


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


def count_segments(session: Session, job_id: str) -> int:
    return session.scalar(select(func.count()).where(Segment.job_id == job_id)) or 0


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
