"""Idempotency-Key: a request that is sent again, because its answer got lost, is answered and not done again."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, g, request
from sqlalchemy.orm import Session

from models import idempotency
from models.errors import InvalidRequest, StoreBusy
from models.idempotency import Answer, Turn
from web.contract import JSON
from web.site import site

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

_KEY = re.compile("[!-~]{1,255}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deed:
    """What a request is about to do, unless it was done before."""

    turn: Turn | None  # None: no key came
    before: Answer | None  # what it was answered when it was done

    def keep(
        self, session: Session, shape: Any, status: int, location: str | None = None
    ) -> Answer:
        """Return the answer; it is kept in the transaction in which the deed is done."""
        answer = Answer(status, location, current_app.json.dumps(shape))
        if self.turn is not None:
            idempotency.keep(session, self.turn, answer)
        return answer


@contextmanager
def once(*sent: str) -> Iterator[Deed]:
    """Open a request that is done once under its key; `sent` is what it is known by beside its address.

    An error frees the key. Raises InvalidRequest, KeyReused, Conflict.
    """
    key = request.headers.get(HEADER)
    if key is None:
        yield Deed(None, None)
        return
    if not _KEY.fullmatch(key):
        raise InvalidRequest(f"{HEADER} takes 1 to 255 visible ASCII characters.")
    who = g.visitor or ""
    digest = idempotency.digest_of(who, request.method, request.path, key)
    with site().store.write() as session:
        begun = idempotency.begin(session, digest, idempotency.digest_of(*sent))
    if isinstance(begun, Answer):
        yield Deed(None, begun)
        return
    try:
        yield Deed(begun, None)
    except BaseException:  # whatever ended it, nothing was done: its key is free again
        try:
            with site().store.write() as session:
                idempotency.give_up(session, begun)
        except StoreBusy:  # free again when this process is gone, or after a while
            log.warning("key not freed, store is away")
        raise


def answered(answer: Answer, *, again: bool = False) -> Response:
    """Send an answer as it was kept."""
    response = Response(answer.body, answer.status, mimetype=JSON)
    if answer.location is not None:
        response.headers["Location"] = answer.location
    if again:
        response.headers[REPLAYED] = "true"
    return response
