"""Reads the values of an address's query; every refusal names the field and what it takes."""

from collections.abc import Iterable
from unicodedata import normalize

from flask import request

from models.commentators import COMMENTATORS
from models.errors import InvalidRequest
from models.job_lists import Filter
from models.paging import Place
from models.tables import JobState

LATEST_MS = 2**53


def whole_number(name: str, default: int, low: int, high: int) -> int:
    text = request.args.get(name, "")
    try:
        value = int(text) if text else default
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InvalidRequest(
            f"`{name}` must be a whole number from {low} to {high}, not {text[:40]!r}."
        )
    return value


def choice(name: str, names: Iterable[str]) -> str | None:
    """Return one of the names, or None where nothing is asked for."""
    text, known = request.args.get(name, ""), tuple(names)
    if text and text not in known:
        raise InvalidRequest(
            f"There is no {name} called {text[:40]!r}; choose one of {', '.join(known)}."
        )
    return text or None


def job_filter() -> Filter:
    """Read which jobs a list is to hold."""
    return Filter(
        state=job_state(request.args.get("state", "")),
        commentator=choice("commentator", COMMENTATORS),
        filename=normalize("NFC", request.args.get("filename", "")) or None,
        from_ms=moment("from"),
        until_ms=moment("until"),
    )


def place() -> Place | None:
    """Read behind what a list goes on; None for its first page."""
    text = request.args.get("before", "")
    return Place.parse(text) if text else None


def moment(name: str) -> int | None:
    """Read milliseconds since 1970; None where nothing is asked for."""
    text = request.args.get(name, "")
    return whole_number(name, 0, 0, LATEST_MS) if text else None


def job_state(text: str) -> JobState | None:
    if not text:
        return None
    try:
        return JobState(text)
    except ValueError:
        raise InvalidRequest(
            f"There is no state {text[:40]!r}; choose one of {', '.join(JobState)}."
        ) from None
