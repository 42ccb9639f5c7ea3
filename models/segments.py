"""Segments: what was said of each window."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import String, case, cast, func, select
from sqlalchemy.orm import Session

from models.errors import NotFound
from models.tables import Chunk, CommentKind, Job, Segment, Stage

LATER_COLUMNS = {"correction", "revision", "corrected_by", "corrected_ms", "taken_from"}
"""Columns that no worker writes."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a segment says: as the commentator said it, or as a person corrected it."""

    kind: CommentKind
    text: str
    reason: str | None  # why it is empty


def original_words(segment: Segment) -> Words:
    return Words(segment.kind, segment.text, segment.reason)


def shown_words(segment: Segment) -> Words:
    """Return the correction where there is one: that is what pages, exports and the search tell."""
    if segment.correction is None:
        return original_words(segment)
    if segment.correction:
        return Words(CommentKind.SAID, segment.correction, None)
    return Words(CommentKind.EMPTY, "", "The comment was taken away by a person.")


def list_segments(
    session: Session,
    job_id: str,
    *,
    since: int = 0,
    limit: int | None = None,
    kind: CommentKind | None = None,
) -> Sequence[Segment]:
    """Return the stored segments from window `since` on, in order; windows under way are missing.

    `kind` is that of what is shown: a correction says something, or takes the comment away.
    """
    statement = select(Segment).where(Segment.job_id == job_id, Segment.index >= since)
    if kind is not None:
        shown = case(
            (Segment.correction.is_(None), cast(Segment.kind, String)),
            (Segment.correction == "", CommentKind.EMPTY.value),
            else_=CommentKind.SAID.value,
        )
        statement = statement.where(shown == kind.value)
    return session.scalars(statement.order_by(Segment.index).limit(limit)).all()


def with_first_picture(session: Session, job_ids: Sequence[str]) -> set[str]:
    """Return those of the jobs whose first window has been seen, so that there is a still of it."""
    rows = session.execute(
        select(Segment.job_id, Segment.frame_pts).where(
            Segment.job_id.in_(job_ids), Segment.index == 0
        )
    )
    return {job_id for job_id, frames in rows if frames}


def get_segment(session: Session, job_id: str, index: int) -> Segment:
    """Return the segment of a window. Raises NotFound."""
    segment = session.get(Segment, (job_id, index)) if index < 2**31 else None
    if segment is None:
        raise NotFound("There is no comment on this window (yet); the job may have been deleted.")
    return segment


def last_said(session: Session, job_id: str, first: int, before: int) -> Segment | None:
    """Return the last segment that said something among windows [first, before), corrected or not.

    A commentator is reminded of its own words: what it says must not depend on who corrected what,
    and when.
    """
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
        select(func.min(Chunk.cursor)).where(
            Chunk.job_id == job.id, Chunk.stage == Stage.WINDOWS, Chunk.cursor < Chunk.stop
        )
    )
    return job.window_count if missing is None else missing


def count_stored(session: Session, job_id: str) -> int:
    """Count the windows that have their segment, without touching the segments."""
    return count_stored_of(session, [job_id]).get(job_id, 0)


def count_stored_of(session: Session, job_ids: Sequence[str]) -> dict[str, int]:
    """Count for several jobs at once; a job without chunks is left out."""
    rows = session.execute(
        select(Chunk.job_id, func.sum(Chunk.cursor - Chunk.first))
        .where(Chunk.job_id.in_(job_ids), Chunk.stage == Stage.WINDOWS)
        .group_by(Chunk.job_id)
    )
    return {job_id: int(stored) for job_id, stored in rows}


def version_of(session: Session, job_id: str) -> tuple[int | None, ...]:
    """Return numbers that change whenever a segment of the job is stored or corrected."""
    row = session.execute(
        select(
            func.count(),
            func.sum(Segment.revision),
            func.max(Segment.created_ms),
            func.max(Segment.corrected_ms),
        ).where(Segment.job_id == job_id)
    ).one()
    return tuple(None if number is None else int(number) for number in row)


def stored_spans(session: Session, job_id: str) -> Sequence[tuple[int, int]]:
    """Return the runs [first, stop) of windows that have their segment: one a chunk begun, in order."""
    rows = session.execute(
        select(Chunk.first, Chunk.cursor)
        .where(Chunk.job_id == job_id, Chunk.stage == Stage.WINDOWS, Chunk.cursor > Chunk.first)
        .order_by(Chunk.first)
    )
    return [(first, cursor) for first, cursor in rows]


@dataclass(frozen=True, slots=True)
class Partial:
    """A window that is being written, and its text so far."""

    index: int
    text: str


def list_partial(session: Session, job_id: str) -> list[Partial]:
    """Return the windows that are being written just now, in order."""
    rows = session.execute(
        select(Chunk.cursor, Chunk.partial_text)
        .where(
            Chunk.job_id == job_id, Chunk.stage == Stage.WINDOWS, Chunk.partial_text.is_not(None)
        )
        .order_by(Chunk.first)
    )
    return [Partial(cursor, text or "") for cursor, text in rows]
