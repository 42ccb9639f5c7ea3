"""Lists of jobs, newest first and page by page, and how many there are of a kind."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models.paging import Place, behind, newest_first
from models.tables import Job, JobState


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs a list holds; None: whatever it is."""

    state: JobState | None = None
    failure: str | None = None  # failed in this way
    commentator: str | None = None
    filename: str | None = None  # is a part of it, in capitals or not
    from_ms: int | None = None  # submitted then or later
    until_ms: int | None = None  # submitted before

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.state is not None:
            found.append(Job.state == self.state)
        if self.failure is not None:
            found += [Job.failure_kind == self.failure, Job.state == JobState.FAILED]
        if self.commentator is not None:
            found.append(Job.commentator == self.commentator)
        if self.filename is not None:
            found.append(Job.filename.icontains(self.filename, autoescape=True))
        if self.from_ms is not None:
            found.append(Job.created_ms >= self.from_ms)
        if self.until_ms is not None:
            found.append(Job.created_ms < self.until_ms)
        return found


ALL = Filter()


def list_jobs(
    session: Session, *, limit: int, before: Place | None = None, wanted: Filter = ALL
) -> Sequence[Job]:
    """Return jobs, newest first; from behind a place on."""
    statement = select(Job).where(*wanted.conditions(), *behind(Job, before))
    return session.scalars(statement.order_by(*newest_first(Job)).limit(limit)).all()


def count_jobs(session: Session) -> dict[JobState, int]:
    """Count the jobs of each state that occurs."""
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {state: count for state, count in rows}  # noqa: C416 (a row is no pair to mypy)


def count_failures(session: Session) -> dict[str, int]:
    """Count the failed jobs by the kind of their failure, the most frequent first."""
    count = func.count()
    rows = session.execute(
        select(Job.failure_kind, count)
        .where(Job.state == JobState.FAILED)
        .group_by(Job.failure_kind)
        .order_by(count.desc(), Job.failure_kind)
    )
    return {kind or "internal": number for kind, number in rows}


def list_ids(
    session: Session, *, limit: int, before: Place | None = None, wanted: Filter = ALL
) -> Sequence[Place]:
    """Return the jobs' ids with their places, newest first, from behind a place on."""
    statement = select(Job.created_ms, Job.id).where(*wanted.conditions(), *behind(Job, before))
    rows = session.execute(statement.order_by(*newest_first(Job)).limit(limit))
    return [Place(*row) for row in rows]


def list_of_video(
    session: Session,
    video_id: str,
    *,
    limit: int,
    before: Place | None = None,
    wanted: Filter = ALL,
) -> Sequence[Job]:
    """Return the jobs of a video, newest first."""
    of_video = select(Job).where(Job.video_id == video_id)
    statement = of_video.where(*wanted.conditions(), *behind(Job, before))
    return session.scalars(statement.order_by(*newest_first(Job)).limit(limit)).all()
