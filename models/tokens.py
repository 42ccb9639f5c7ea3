"""Secrets that let somebody in. Only their digests are stored, so the store's reader can't use them.

A secret has 256 random bits: nobody guesses it, so its digest needs no salt and no slow hash.
"""

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import Conflict, InvalidRequest, NotFound
from models.tables import Token

_DAY_MS = 24 * 3600 * 1000
STAY_MS = 30 * _DAY_MS  # a person's session ends
IDLE_MS = 7 * _DAY_MS  # it ends earlier when it isn't used
_NOTED_MS = 60_000  # uses are noted at most so often


class Scope(StrEnum):
    """What a token's bearer may do. None includes another."""

    READ = "read"
    SUBMIT = "submit"  # give the server work: files, runs, renders
    MANAGE = "manage"  # change and delete what is there
    ADMIN = "admin"  # say whom this server tells of its jobs


_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def add_token(session: Session, name: str, scopes: Collection[Scope] = tuple(Scope)) -> str:
    """Make a program's token; its secret is returned once. Raises InvalidRequest and Conflict."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"A token can't be called {name[:70]!r}: take up to 64 letters, digits, dots, dashes "
            "and underscores."
        )
    secret = f"rn_{secrets.token_urlsafe(32)}"
    kept = (
        None if set(scopes) == set(Scope) else [scope.value for scope in Scope if scope in scopes]
    )
    session.add(Token(digest=_digest(secret), name=name, created_ms=now_ms(), scopes=kept))
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"There is a token called {name} already: revoke it first.") from None
    return secret


def scopes_of(token: Token) -> frozenset[Scope]:
    """Return what the token's bearer may do; a person may do everything, and so may an older token."""
    return frozenset(Scope) if token.scopes is None else frozenset(map(Scope, token.scopes))


def list_tokens(session: Session) -> Sequence[Token]:
    """Return the programs' tokens by name."""
    return session.scalars(select(Token).where(Token.name.is_not(None)).order_by(Token.name)).all()


def revoke_token(session: Session, name: str) -> None:
    """End a program's token at once. Raises NotFound."""
    found = session.execute(delete(Token).where(Token.name == name).returning(Token.digest))
    if found.first() is None:
        raise NotFound(f"There is no token called {name[:70]!r}.")


def begin_session(session: Session) -> str:
    """Let a person in for a while; return the secret for the cookie. Sweeps out what has ended."""
    now = now_ms()
    session.execute(delete(Token).where(Token.until_ms <= now))
    secret = secrets.token_urlsafe(32)
    session.add(Token(digest=_digest(secret), created_ms=now, used_ms=now, until_ms=now + STAY_MS))
    return secret


def end_session(session: Session, secret: str) -> None:
    session.execute(
        delete(Token).where(Token.digest == _digest(secret), Token.until_ms.is_not(None))
    )


def find_token(session: Session, secret: str) -> Token | None:
    """Return the token or session with this secret, None if there is none or it has ended."""
    token = session.get(Token, _digest(secret))
    if token is None or token.until_ms is None:
        return token
    last = min(token.until_ms, (token.used_ms or token.created_ms) + IDLE_MS)
    return token if now_ms() < last else None


def wants_note(token: Token) -> bool:
    """Tell whether this use is to be noted: not each one costs a write."""
    return token.used_ms is None or now_ms() - token.used_ms >= _NOTED_MS


def note_use(session: Session, digest: str) -> None:
    session.execute(update(Token).where(Token.digest == digest).values(used_ms=now_ms()))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
