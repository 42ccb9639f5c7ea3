"""Additions: a summary with chapters, or a transcript, of a job; asked for with it or afterwards.

Their work is cut into chunks as windows are, of stages of their own. One that fails, or is cancelled,
never fails the job: the commentary is whole without it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, insert, select
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import AppError, NotFound
from models.facts import duration_ms
from models.tables import Addition, AdditionKind, Chunk, Job, JobState, Passage, Stage, Utterance

PIECE_MS = 120_000
"""Sound is written down in pieces of about two minutes: 4 MB of samples, done well within a call's time."""


_ENDED = ("finished_ms", "failure_kind", "failure_text")
_AT_WORK = (JobState.QUEUED, JobState.RUNNING)


def stages_of(kind: AdditionKind) -> range:
    """Return the stages in which an addition is made."""
    if kind is AdditionKind.TRANSCRIPT:
        return range(Stage.SPEECH, Stage.SPEECH + 1)
    return range(Stage.OUTLINE, 2**31 - 1)


def kind_of(stage: int) -> AdditionKind | None:
    """Return the addition that a stage is part of; None: the commentary itself."""
    number = int(stage)  # a range counts through all of itself for anything but a plain int
    return next((kind for kind in AdditionKind if number in stages_of(kind)), None)


def plan(session: Session, job: Job, kind: AdditionKind) -> None:
    """Note that an addition is wanted, its first chunks with it; one that is there is kept until then."""
    before = _set_aside(session, job.id, kind)
    session.add(Addition(job_id=job.id, kind=kind, asked_ms=now_ms(), before=before))
    session.flush()
    first = stages_of(kind)[0]
    count = piece_count(job) if kind is AdditionKind.TRANSCRIPT else 1
    add_steps(session, job.id, ((first, number) for number in range(count)))


def piece_count(job: Job) -> int:
    return max(1, -(-duration_ms(job.video) // PIECE_MS))


def add_steps(session: Session, job_id: str, steps: Iterable[tuple[int, int]]) -> None:
    """Add chunks of one step each: (stage, number)."""
    rows = [
        {"job_id": job_id, "stage": stage, "first": n, "stop": n + 1, "cursor": n, "attempts": 0}
        for stage, n in steps
    ]
    if rows:
        session.execute(insert(Chunk), rows)


def forget(session: Session, job_id: str, kind: AdditionKind) -> None:
    """Remove an addition with all that was made of it; what is under way is fenced off."""
    _drop_chunks(session, job_id, kind)
    table = Utterance if kind is AdditionKind.TRANSCRIPT else Passage
    session.execute(delete(table).where(table.job_id == job_id))
    session.execute(delete(Addition).where(Addition.job_id == job_id, Addition.kind == kind))


def _set_aside(session: Session, job_id: str, kind: AdditionKind) -> dict[str, Any] | None:
    """Forget an addition that is to be made anew; return what is put back if that comes to nothing.

    Utterances stay: those of a piece are replaced when it is heard again.
    """
    _drop_chunks(session, job_id, kind)
    addition = session.get(Addition, (job_id, kind))
    if addition is None:
        return None
    before = addition.before
    if addition.finished_ms is not None and with_contents(session, kind, [job_id]):
        passages = session.scalars(select(Passage).where(Passage.job_id == job_id)).all()
        before = {
            "ended": {name: getattr(addition, name) for name in _ENDED},
            "passages": [_values(row) for row in passages if kind is AdditionKind.SUMMARY],
        }
    session.delete(addition)
    if kind is AdditionKind.SUMMARY:
        session.execute(delete(Passage).where(Passage.job_id == job_id))
    session.flush()
    return before


def _values(row: Passage) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in Passage.__table__.columns}


def give_up(session: Session, job_id: str, kind: AdditionKind, failure: AppError) -> None:
    """End an addition as failed. Half a summary gives way to the one before; what was heard stays."""
    _drop_chunks(session, job_id, kind)
    addition = session.get(Addition, (job_id, kind), populate_existing=True)
    if addition is None:
        return
    _put_back(session, addition)
    addition.failure_kind, addition.failure_text = failure.kind, str(failure)
    addition.finished_ms = addition.finished_ms or now_ms()
    session.flush()


def _put_back(session: Session, addition: Addition) -> None:
    """Have what an addition was to replace there again; where there was nothing, half a summary goes."""
    before, addition.before = addition.before, None
    if addition.kind is AdditionKind.SUMMARY:
        session.execute(delete(Passage).where(Passage.job_id == addition.job_id))
    if before is not None:
        for name in _ENDED:
            setattr(addition, name, before["ended"][name])
        if before["passages"]:
            session.execute(insert(Passage), before["passages"])
    session.flush()


def end_making(session: Session, job_id: str, addition: Addition) -> None:
    """Make an addition no further: what it was to replace is there again, else nothing is."""
    if addition.before is None:
        forget(session, job_id, addition.kind)
    else:
        _drop_chunks(session, job_id, addition.kind)
        _put_back(session, addition)


def end_unfinished(session: Session, job_id: str) -> None:
    """Make no addition any further."""
    for addition in list_additions(session, job_id):
        if addition.finished_ms is None:
            end_making(session, job_id, addition)


def settle(session: Session, job_id: str) -> None:
    """Note which additions have come to their end."""
    for addition in list_additions(session, job_id):
        if addition.finished_ms is None and not _has_work(session, job_id, addition.kind):
            addition.finished_ms, addition.before = now_ms(), None
    session.flush()


def list_additions(session: Session, job_id: str) -> Sequence[Addition]:
    return session.scalars(
        select(Addition).where(Addition.job_id == job_id).order_by(Addition.kind)
    ).all()


def get_addition(session: Session, job_id: str, kind: AdditionKind) -> Addition:
    """Raises NotFound."""
    addition = session.get(Addition, (job_id, kind))
    if addition is None:
        raise NotFound(f"Nobody has asked for a {kind} of this job.")
    return addition


def version_of(session: Session, job_id: str) -> tuple[object, ...]:
    """Return what changes whenever an addition of the job is asked for, grows, ends or is removed."""
    heard = session.scalar(select(func.count()).where(Utterance.job_id == job_id))
    rows = list_additions(session, job_id)
    return (heard, *((row.kind, row.asked_ms, row.finished_ms, row.failure_kind) for row in rows))


def with_contents(session: Session, kind: AdditionKind, job_ids: Iterable[str]) -> set[str]:
    """Return those of the jobs of whose addition there is something, be it part of a transcript."""
    table = Utterance if kind is AdditionKind.TRANSCRIPT else Passage
    return set(session.scalars(select(table.job_id).where(table.job_id.in_(job_ids)).distinct()))


@dataclass(frozen=True, slots=True)
class Making:
    """How far an addition is: steps, as far as they are known."""

    kind: AdditionKind
    state: str  # "waiting", "making", "ready" or "failed"
    done: int
    total: int
    failure: tuple[str, str] | None = None  # kind and sentence


def makings_of_all(session: Session, jobs: Sequence[Job]) -> dict[str, list[Making]]:
    """Return how far the additions of several jobs are, with as many queries as one takes."""
    found: dict[str, list[Making]] = {job.id: [] for job in jobs}
    rows = session.scalars(
        select(Addition).where(Addition.job_id.in_(found)).order_by(Addition.kind)
    ).all()
    if not rows:
        return found
    counts = session.execute(
        select(
            Chunk.job_id,
            Chunk.stage,
            func.sum(Chunk.cursor - Chunk.first),
            func.sum(Chunk.stop - Chunk.first),
        )
        .where(Chunk.job_id.in_([row.job_id for row in rows]), Chunk.stage != Stage.WINDOWS)
        .group_by(Chunk.job_id, Chunk.stage)
    )
    done: Counter[tuple[str, AdditionKind | None]] = Counter()
    total: Counter[tuple[str, AdditionKind | None]] = Counter()
    for job_id, stage, steps_done, steps in counts:
        done[job_id, kind_of(stage)] += int(steps_done)
        total[job_id, kind_of(stage)] += int(steps)
    at_it = {job.id: kind_of(job.stage) for job in jobs if job.state in _AT_WORK}
    for row in rows:
        key, is_at_it = (row.job_id, row.kind), at_it.get(row.job_id) is row.kind
        found[row.job_id].append(_making(row, done[key], total[key], is_at_it))
    return found


def _making(row: Addition, done: int, total: int, is_at_it: bool) -> Making:
    if row.failure_kind is not None:
        failure = (row.failure_kind, row.failure_text or "")
        return Making(row.kind, "failed", done, total, failure)
    if row.finished_ms is not None:
        return Making(row.kind, "ready", done, total)
    return Making(row.kind, "making" if is_at_it else "waiting", done, total)


def _has_work(session: Session, job_id: str, kind: AdditionKind) -> bool:
    return bool(
        session.scalar(select(exists().where(*_of(job_id, kind), Chunk.cursor < Chunk.stop)))
    )


def lock_chunks(session: Session, job_id: str, kind: AdditionKind) -> None:
    """Keep an addition's chunks from other writers until the transaction ends."""
    ids = select(Chunk.id).where(*_of(job_id, kind)).order_by(Chunk.id)
    session.execute(ids.with_for_update()).all()


def _drop_chunks(session: Session, job_id: str, kind: AdditionKind) -> None:
    lock_chunks(session, job_id, kind)
    session.execute(delete(Chunk).where(*_of(job_id, kind)))


def _of(job_id: str, kind: AdditionKind) -> tuple[ColumnElement[bool], ...]:
    stages = stages_of(kind)
    return Chunk.job_id == job_id, Chunk.stage >= stages.start, Chunk.stage < stages.stop
