"""A suspect's window runs alone; ordinary ones run beside each other."""

import time
from threading import Barrier, Event, Thread

from worker.quarantine import Quarantine


def test_ordinary_windows_run_beside_each_other() -> None:
    quarantine, together = Quarantine(), Barrier(3, timeout=5)

    def window() -> None:
        with quarantine.beside_others():
            together.wait()  # breaks unless both are inside at once

    threads = [Thread(target=window) for _ in range(2)]
    for thread in threads:
        thread.start()
    together.wait()
    for thread in threads:
        thread.join()


def test_nothing_runs_beside_a_suspect() -> None:
    quarantine, entered, leave = Quarantine(), Event(), Event()
    order: list[str] = []

    def suspect() -> None:
        with quarantine.alone():
            entered.set()
            leave.wait(5)
            order.append("suspect leaves")

    def ordinary() -> None:
        with quarantine.beside_others():
            order.append("ordinary enters")

    first = Thread(target=suspect)
    first.start()
    assert entered.wait(5)
    second = Thread(target=ordinary)
    second.start()
    time.sleep(0.1)
    assert order == []
    leave.set()
    first.join()
    second.join()
    assert order == ["suspect leaves", "ordinary enters"]


def test_a_suspect_waits_for_those_inside_and_goes_before_those_outside() -> None:
    quarantine, inside, leave = Quarantine(), Event(), Event()
    order: list[str] = []

    def ordinary(name: str) -> None:
        with quarantine.beside_others():
            inside.set()
            leave.wait(5)
            order.append(name)

    def suspect() -> None:
        with quarantine.alone():
            order.append("suspect")

    threads = [Thread(target=ordinary, args=("first",))]
    threads[0].start()
    assert inside.wait(5)
    threads.append(Thread(target=suspect))
    threads[1].start()
    time.sleep(0.1)
    threads.append(Thread(target=ordinary, args=("second",)))
    threads[2].start()
    time.sleep(0.1)
    leave.set()
    for thread in threads:
        thread.join()
    assert order == ["first", "suspect", "second"]
