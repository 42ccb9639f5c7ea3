"""When an endpoint that is busy may be asked again: known to all threads that ask it."""

import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0
_LONGEST_WAIT_S = 3600.0  # whatever it says: it may err, and then it would never be asked again
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class Turns:
    """Times are seconds of a monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._closed_until = 0.0

    def pause(self) -> float:
        """Return for how many seconds nobody should ask; 0: go on."""
        return max(0.0, self._closed_until - self._clock())

    def heed(self, status: int, headers: Mapping[str, str]) -> None:
        """Let all wait where the endpoint says so: Retry-After, or no requests or tokens left."""
        waits = [_seconds(headers.get("retry-after", ""))] if status in (429, 503) else []
        for what in ("requests", "tokens"):
            if headers.get(f"x-ratelimit-remaining-{what}", "").strip() == "0":
                waits.append(_seconds(headers.get(f"x-ratelimit-reset-{what}", "")))
        wait = min(max(waits, default=0.0), _LONGEST_WAIT_S)
        self._closed_until = max(self._closed_until, self._clock() + wait)


def back_off(attempt: int) -> float:
    """Return the pause before the next attempt (first: 0), in seconds: doubled each time, at random.

    Many threads that failed together would otherwise come back together.
    """
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**attempt) * random.uniform(0.5, 1.0)


def _seconds(text: str) -> float:
    """Read "7", "1.5s", "6m0s", "120ms" or a date; 0 for what is none of them."""
    text = text.strip()[:100]
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    if parts := _SPAN.findall(text):
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
