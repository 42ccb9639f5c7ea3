"""What is said in a video, as a recogniser of speech has heard it."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.tables import Utterance


def store_piece(session: Session, job_id: str, piece: int, heard: Sequence[Utterance]) -> None:
    session.execute(delete(Utterance).where(Utterance.job_id == job_id, Utterance.piece == piece))
    session.add_all(heard)
    session.flush()


def list_utterances(
    session: Session, job_id: str, span: tuple[int, int] | None = None
) -> Sequence[Utterance]:
    """Return them in order of time; with a span of milliseconds, those that touch it."""
    found = select(Utterance).where(Utterance.job_id == job_id)
    if span is not None:
        found = found.where(Utterance.start_ms <= span[1], Utterance.end_ms >= span[0])
    return session.scalars(found.order_by(Utterance.piece, Utterance.number)).all()


def heard_in(spoken: Sequence[Utterance], span: tuple[int, int]) -> str:
    """Return what is said in a stretch [start, end) of milliseconds, each utterance where most of it is."""
    start_ms, end_ms = span
    return " ".join(
        row.text for row in spoken if start_ms <= (row.start_ms + row.end_ms) // 2 < end_ms
    )
