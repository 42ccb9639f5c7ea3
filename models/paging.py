"""Places in lists that show the newest first: where a page ended, and the next one begins.

A place needs no row: what stood there may have been deleted since.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import ColumnElement, UnaryExpression

from models.errors import InvalidRequest
from models.tables import Delivery, Job, Upload

Listed = Job | Upload | Delivery

_WRITTEN = re.compile("([0-9]{1,16})-([a-z2-7]{16})")


@dataclass(frozen=True, slots=True)
class Place:
    created_ms: int
    id: str

    def __str__(self) -> str:
        return f"{self.created_ms}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what was written by str(). Raises InvalidRequest."""
        written = _WRITTEN.fullmatch(text)
        if written is None:
            raise InvalidRequest(
                f"`before` is the last answer's `next`, not {text[:40]!r}: leave it out for the first page."
            )
        return cls(int(written[1]), written[2])


def newest_first(columns: type[Listed]) -> tuple[UnaryExpression[Any], ...]:
    return columns.created_ms.desc(), columns.id.desc()


def behind(columns: type[Listed], before: Place | None) -> list[ColumnElement[bool]]:
    """Return the conditions of what follows a place in such a list; None: of all of it."""
    if before is None:
        return []
    at_the_same_time = (columns.created_ms == before.created_ms) & (columns.id < before.id)
    return [(columns.created_ms < before.created_ms) | at_the_same_time]


def next_place(rows: "Sequence[Place | Listed]", limit: int) -> str | None:
    """Say where a page of `limit` rows ends, one of which was looked for more; None: it is the last page."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return str(Place(last.created_ms, last.id))
