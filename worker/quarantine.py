"""Keeps a chunk that may have killed its worker apart from the others of the process.

Threads share a process and die together. A chunk whose last attempt stored nothing is a suspect: its
next window runs alone, so that chunks that merely stood beside the culprit don't lose their attempts.
A suspect that waits for its turn has not begun its attempt (models/chunks.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Quarantine:
    """A lock that many ordinary windows share and one suspect has for itself."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._ordinary = 0
        self._suspects_waiting = 0
        self._suspect_inside = False

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Run an ordinary window."""
        with self._changed:
            self._changed.wait_for(lambda: not self._suspect_inside and not self._suspects_waiting)
            self._ordinary += 1
        try:
            yield
        finally:
            with self._changed:
                self._ordinary -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run a suspect's window, with no other in the process."""
        with self._changed:
            self._suspects_waiting += 1
            self._changed.wait_for(lambda: not self._suspect_inside and self._ordinary == 0)
            self._suspects_waiting -= 1
            self._suspect_inside = True
        try:
            yield
        finally:
            with self._changed:
                self._suspect_inside = False
                self._changed.notify_all()
