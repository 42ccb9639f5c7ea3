"""Answers kept by the caller's own key, so that a request which is sent again is done once.

    (none) → under way → kept for a day
                 └────→ (none), when it was refused

A request under way is fenced by its owner: the answer is kept in the transaction of what was done, or
neither is. Of a process that died the key is free again: at once on its own machine, elsewhere after
LONGEST_MS.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import KeyReused, UnderWay
from models.owners import is_gone, new_owner
from models.tables import KeptAnswer

KEPT_MS = 24 * 3600 * 1000
LONGEST_MS = 15 * 60 * 1000  # that a request may be under way


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    location: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to do what is asked under a key."""

    digest: str
    owner: str


def digest_of(*parts: str) -> str:
    """Return one digest for parts in this order; no two lists of parts share one."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part.encode(errors="replace")).digest())
    return whole.hexdigest()


def begin(session: Session, digest: str, fingerprint: str) -> Turn | Answer:
    """Take the turn, or return the answer that is kept.

    `digest` is of who asks for what under which key, `fingerprint` of what was sent. Raises KeyReused,
    and UnderWay while the same is under way.
    """
    now, owner = now_ms(), new_owner()
    found = session.scalar(select(KeptAnswer).where(KeptAnswer.digest == digest).with_for_update())
    if found is not None and _is_over(found, now):
        session.delete(found)
        session.flush()
        found = None
    if found is None:
        session.add(KeptAnswer(digest=digest, fingerprint=fingerprint, owner=owner, created_ms=now))
        try:
            session.flush()
        except IntegrityError:  # another process began at the same moment
            raise _under_way() from None
        return Turn(digest, owner)
    if found.fingerprint != fingerprint:
        raise KeyReused(
            "This Idempotency-Key came with another request before: take a new key for a new request."
        )
    if found.status is None:
        raise _under_way()
    return Answer(found.status, found.location, found.body or "")


def keep(session: Session, turn: Turn, answer: Answer) -> None:
    """Keep the answer with what was done in this transaction. Raises UnderWay if the turn was lost."""
    kept = session.execute(
        update(KeptAnswer)
        .where(
            KeptAnswer.digest == turn.digest,
            KeptAnswer.owner == turn.owner,
            KeptAnswer.status.is_(None),
        )
        .values(status=answer.status, location=answer.location, body=answer.body)
        .returning(KeptAnswer.digest)
    )
    if kept.first() is None:
        raise _under_way()


def give_up(session: Session, turn: Turn) -> None:
    """Free the key of a request that did nothing."""
    session.execute(
        delete(KeptAnswer).where(
            KeptAnswer.digest == turn.digest,
            KeptAnswer.owner == turn.owner,
            KeptAnswer.status.is_(None),
        )
    )


def forget_old(session: Session) -> None:
    """Delete answers that were kept for a day."""
    session.execute(delete(KeptAnswer).where(KeptAnswer.created_ms < now_ms() - KEPT_MS))


def _is_over(found: KeptAnswer, now: int) -> bool:
    age_ms = now - found.created_ms
    if found.status is not None:
        return age_ms > KEPT_MS
    return age_ms > LONGEST_MS or is_gone(found.owner)


def _under_way() -> UnderWay:
    return UnderWay(
        "A request with this Idempotency-Key is under way: wait a moment, then send it again."
    )
