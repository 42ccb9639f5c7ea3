"""Whether an endpoint's refusal says that it doesn't take a field, and which. Pure functions.

What it says of a field's value ("max_tokens is too large") is another matter: the next request may fit.
"""

import re
from collections.abc import Iterable
from typing import Any

from worker.openai.stream import message_of

_CODES = ("unsupported_parameter", "unknown_parameter", "unsupported_value")
_EXTRA = ("extra_forbidden", "value_error.extra")  # as servers that check by pydantic call it

_NOUN = r"(?:parameter|argument|field|name|input|key|option|value)s?|propert(?:y|ies)"
_NOT_TAKEN = r"not (?:supported|permitted|allowed|recogni[sz]ed)"
_REFUSING = "|".join(
    (
        rf"\b(?:unsupported|unknown|unrecogni[sz]ed|unexpected|extra|additional)\b[\w ]*? (?:{_NOUN})\b",
        rf"\b(?:{_NOUN}) (?:(?:is|are) )?{_NOT_TAKEN}\b",
        rf"\bnot support (?:the )?(?:{_NOUN})\b",
    )
)
_REFUSED = (
    rf"(?:{_NOT_TAKEN}|unsupported|unknown|unrecogni[sz]ed|deprecated)\b"
    r"|(?:both be|be used together)\b"  # then one of the two is enough
)


def untaken(answer: Any, names: Iterable[str]) -> str | None:
    """Return the first of these fields that isn't taken; None: the refusal is about something else."""
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if not isinstance(answer, dict):
        return None
    error = answer["error"] if isinstance(answer.get("error"), dict) else answer
    told = _param(error) | _extras(answer, error, error.get("message"))
    message = message_of(answer)
    return next((name for name in names if name in told or _says(message, name)), None)


def _param(error: dict[str, Any]) -> set[str]:
    """Read `param`, where `code` says what is wrong with it."""
    code, param = error.get("code"), error.get("param")
    if code not in _CODES or not isinstance(param, str):
        return set()
    fields = set(param.split("."))  # one may lie in another, such as "stream_options.include_usage"
    return fields - {"max_tokens"} if code == "unsupported_value" else fields


def _extras(*places: Any) -> set[str]:
    """Read the list `detail`, wherever it stands."""
    details = [place.get("detail") for place in places if isinstance(place, dict)]
    entries = [one for detail in details if isinstance(detail, list) for one in detail]
    return {
        part
        for entry in entries
        if isinstance(entry, dict) and entry.get("type") in _EXTRA
        for part in _list(entry.get("loc"))
        if isinstance(part, str)
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _says(message: str, name: str) -> bool:
    """Tell whether words that name the field say that it isn't known here."""
    field = rf"(?<!\w){name}(?!\w)"
    return any(
        re.search(pattern, message, re.IGNORECASE)
        for pattern in (
            rf"(?:{_REFUSING})[^.;'\"`]{{0,40}}['\"`]?{field}",  # no other field's name between
            rf"{field}['\"`]?(?: (?:{_NOUN}))?(?: and ['\"`]?\w+['\"`]?)? (?:is|are|can(?:no|')t) (?:{_REFUSED})",
            rf"(?:{'|'.join(_EXTRA)})'[^}}]{{0,40}}'{name}'",
        )
    )
