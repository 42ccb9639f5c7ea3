"""The processes that comment: each says now and then that it lives, and what it takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.additions import kind_of
from models.clock import now_ms
from models.owners import process_of
from models.tables import AdditionKind, Chunk, Job, Stage, Worker

SILENT_MS = 30_000
"""A worker that has said nothing for so long counts as gone."""

_FORGOTTEN_MS = 3600_000


@dataclass(frozen=True, slots=True)
class Hold:
    """A chunk that is being done: by whom, and at which window or for which addition it is."""

    worker: str
    job_id: str
    filename: str
    window: int | None
    addition: AdditionKind | None


def report(session: Session, worker: Worker) -> None:
    """Note that a worker lives; forget those that haven't been heard of for long."""
    session.merge(worker)
    session.execute(delete(Worker).where(Worker.seen_ms < now_ms() - _FORGOTTEN_MS))


def leave(session: Session, name: str) -> None:
    session.execute(delete(Worker).where(Worker.name == name))


def list_alive(session: Session) -> Sequence[Worker]:
    return session.scalars(
        select(Worker).where(Worker.seen_ms >= now_ms() - SILENT_MS).order_by(Worker.name)
    ).all()


def list_holds(session: Session) -> list[Hold]:
    """Return what is being done just now, in order of jobs and windows."""
    rows = session.execute(
        select(Chunk.owner, Chunk.job_id, Job.filename, Chunk.stage, Chunk.cursor)
        .join(Job, Job.id == Chunk.job_id)
        .where(Chunk.owner.is_not(None), Chunk.lease_until_ms >= now_ms())
        .order_by(Job.created_ms, Chunk.first)
    )
    return [
        Hold(
            process_of(owner),
            job_id,
            filename,
            window=step if stage == Stage.WINDOWS else None,
            addition=kind_of(stage),
        )
        for owner, job_id, filename, stage, step in rows
        if owner
    ]
