"""Answers that many people ask for at the same time, made once for all of them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

MOST_KEPT = 64  # whatever was asked for longest ago is forgotten first
LONGEST_KEPT_S = 1.0  # rates and estimates move although nothing is stored


@dataclass(frozen=True, slots=True)
class _Made:
    body: bytes
    begun: float
    version: Hashable


@dataclass(slots=True)
class _Place:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: _Made | None = None


class SharedAnswers:
    """Keeps what was made for as long as the store's version stays the same.

    Nobody gets an answer that is older than what the store held when they asked: while it changes all
    the time, who waits for the one who makes an answer shares the next one, begun after they came.
    """

    def __init__(self, version: Callable[[], Hashable]) -> None:
        self._version = version
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return what `make` returns, or returned for the same key in the same state of the store."""
        asked, version = time.monotonic(), self._version()
        place = self._place(key)
        if (body := _still_good(place.made, asked, version)) is not None:
            return body
        with place.lock:
            begun, version = time.monotonic(), self._version()
            if (body := _still_good(place.made, asked, version)) is not None:
                return body
            made = _Made(make(), begun, version)
            place.made = made
        return made.body

    def _place(self, key: Hashable) -> _Place:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > MOST_KEPT:
                self._places.popitem(last=False)
        return place


def _still_good(made: _Made | None, asked: float, version: Hashable) -> bytes | None:
    if made is None:
        return None
    is_same = made.version == version and asked - made.begun < LONGEST_KEPT_S
    return made.body if is_same or made.begun >= asked else None
