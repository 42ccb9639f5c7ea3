"""Turns at what only so many threads can use well at once, in the order in which they ask."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 10.0


class Turns:
    """About `count` threads have one. A semaphore would let who gave one back take it again first.

    Who has waited for `patience_s` goes on without: those who have a turn may hang.
    """

    def __init__(self, count: int, patience_s: float = PATIENCE_S) -> None:
        self._free, self._patience_s = count, patience_s
        self._waiting: deque[threading.Event] = deque()  # in order
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        has_one = self._take()
        try:
            yield
        finally:
            if has_one:
                self._give_back()

    def _take(self) -> bool:
        """Wait for a turn; tell whether there was one."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(self._patience_s):
            return True
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True  # it came at the last moment

    def _give_back(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
