"""Passages: the summary of a job, its chapters, and what both are made of."""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from models import additions
from models.tables import Passage, Segment, Stage


def lay_out(session: Session, job_id: str, passages: Iterable[Passage]) -> None:
    """Store which passages are to be told, and a chunk for each."""
    session.execute(delete(Passage).where(Passage.job_id == job_id))
    found = list(passages)
    session.add_all(found)
    session.flush()
    steps = ((Stage.PASSAGES + passage.level, passage.index) for passage in found)
    additions.add_steps(session, job_id, steps)


def fill_in(session: Session, told: Passage) -> None:
    """Store what is told in a passage that was laid out."""
    names = ("title", "text", "reason", "tokens_in", "tokens_out", "told_ms")
    times = ("waiting_ms", "prefill_ms", "generate_ms", "total_ms")
    session.execute(
        update(Passage)
        .where(
            Passage.job_id == told.job_id,
            Passage.level == told.level,
            Passage.index == told.index,
        )
        .values({name: getattr(told, name) for name in (*names, *times)})
    )


def get_passage(session: Session, job_id: str, level: int, index: int) -> Passage | None:
    return session.get(Passage, (job_id, level, index))


def sources_of(session: Session, passage: Passage) -> Sequence[Passage]:
    """Return the passages, of the level below, that one of a higher level is told from."""
    return session.scalars(
        select(Passage)
        .where(
            Passage.job_id == passage.job_id,
            Passage.level == passage.level - 1,
            Passage.first >= passage.first,
            Passage.stop <= passage.stop,
        )
        .order_by(Passage.index)
    ).all()


def get_whole(session: Session, job_id: str) -> Passage | None:
    """Return the passage that tells the whole video; None if there is none."""
    return session.scalar(
        select(Passage)
        .where(Passage.job_id == job_id)
        .order_by(Passage.level.desc(), Passage.index)
        .limit(1)
    )


def list_chapters(session: Session, job_id: str) -> Sequence[Passage]:
    return session.scalars(
        select(Passage).where(Passage.job_id == job_id, Passage.is_chapter).order_by(Passage.index)
    ).all()


def list_passages(session: Session, job_id: str) -> Sequence[Passage]:
    """Return all of them, the whole video's last."""
    return session.scalars(
        select(Passage).where(Passage.job_id == job_id).order_by(Passage.level, Passage.index)
    ).all()


def is_outdated(session: Session, job_id: str, since_ms: int) -> bool:
    """Tell whether a person has changed a comment since."""
    newest = session.scalar(select(func.max(Segment.corrected_ms)).where(Segment.job_id == job_id))
    return newest is not None and newest >= since_ms
