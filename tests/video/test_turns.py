"""Whoever asks first has the first turn, also before one who has just given his back."""

import threading
import time
from queue import Empty, Queue

import pytest

from worker.video.turns import Turns

PATIENCE_S = 20


class Asker:
    """A thread that asks for turns, one after the other; it keeps each until told."""

    def __init__(self, name: str, turns: Turns, had: "Queue[str]", times: int) -> None:
        self._go_on = threading.Semaphore(0)
        self._asks = (name, turns, had, times)
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def give_back(self) -> None:
        self._go_on.release()

    def end(self) -> None:
        """Give the last turn back, and be done with it."""
        self.give_back()
        self._thread.join(PATIENCE_S)

    def _ask(self) -> None:
        name, turns, had, times = self._asks
        for _ in range(times):
            with turns.turn():
                had.put(name)
                self._go_on.acquire()


def wait_until_asked(turns: Turns) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not turns._waiting and time.monotonic() < patience:
        time.sleep(0.01)


def test_who_gave_one_back_comes_after_those_who_wait() -> None:
    turns, had = Turns(1), Queue[str]()
    first = Asker("first", turns, had, 2)
    order = [had.get(timeout=PATIENCE_S)]
    second = Asker("second", turns, had, 1)
    wait_until_asked(turns)
    first.give_back()
    order.append(had.get(timeout=PATIENCE_S))
    second.give_back()
    order.append(had.get(timeout=PATIENCE_S))
    first.give_back()
    assert order == ["first", "second", "first"]


def test_no_more_than_so_many_have_one() -> None:
    turns, had = Turns(2), Queue[str]()
    askers = {name: Asker(name, turns, had, 1) for name in "abcde"}
    having = [had.get(timeout=PATIENCE_S), had.get(timeout=PATIENCE_S)]
    with pytest.raises(Empty):
        had.get(timeout=0.2)
    for _ in range(3):
        askers[having.pop(0)].give_back()
        having.append(had.get(timeout=PATIENCE_S))
        with pytest.raises(Empty):
            had.get(timeout=0.2)
    for name in having:
        askers[name].give_back()


def test_a_turn_that_ends_in_an_error_is_given_back() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="broken"), turns.turn():
        raise ValueError("broken")
    had = Queue[str]()
    Asker("next", turns, had, 1).give_back()
    assert had.get(timeout=PATIENCE_S) == "next"


def test_who_waits_too_long_goes_on_without_one() -> None:
    turns, had = Turns(1, patience_s=0.2), Queue[str]()
    hung = Asker("hung", turns, had, 1)
    assert had.get(timeout=PATIENCE_S) == "hung"
    impatient = Asker("impatient", turns, had, 1)
    assert had.get(timeout=PATIENCE_S) == "impatient"
    impatient.end()
    hung.end()
    with turns.turn():  # there is still one, and no more
        Asker("next", turns, had, 1).give_back()
        with pytest.raises(Empty):
            had.get(timeout=0.1)
