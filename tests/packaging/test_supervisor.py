"""The supervisor, on real processes that say what befalls them."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from serve import guard as guard_program
from tests.packaging.processes import command_line, left_of, tree, wait_for

DRIVER = """
import sys
from serve.child import Program
from serve.supervisor import Supervisor
sys.exit(Supervisor([{programs}], log=sys.stdout).run())
"""

# Says its process id, then waits for SIGTERM and says so; starts a process of its own before.
PLAIN = """
import os, signal, subprocess, sys, time
subprocess.Popen(["sleep", "600"])
signal.signal(signal.SIGTERM, lambda *_: (print("ending", flush=True), sys.exit(0)))
print("pid", os.getpid(), flush=True)
time.sleep(600)
"""
STUBBORN = PLAIN.replace("sys.exit(0)", "None").replace(
    "time.sleep(600)", "[time.sleep(1) for _ in range(600)]"
)


def program(name: str, source: str, more: str = "") -> str:
    return f"Program({name!r}, (sys.executable, '-c', {source!r}), {more})"


class Supervised:
    """A supervisor in a process of its own, and what it has said so far."""

    def __init__(self, folder: Path, *programs: str) -> None:
        self.output = folder / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", DRIVER.format(programs=", ".join(programs))], stdout=output
            )

    def said(self) -> str:
        return self.output.read_text()

    def pids(self, name: str) -> list[int]:
        """Return the process ids that the program has had, the latest last."""
        lines = [line.split() for line in self.said().splitlines()]
        return [int(words[3]) for words in lines if words[:1] == [name] and words[2] == "pid"]

    def latest_pid(self, name: str, start: int = 1) -> int:
        return wait_for(lambda: self.pids(name)[start - 1 : start], f"start {start} of {name}")[0]


def guards(supervised: Supervised) -> list[psutil.Process]:
    children = psutil.Process(supervised.process.pid).children()
    return [one for one in children if command_line(one)[-1:] == [guard_program.__file__]]


Start = Callable[..., Supervised]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Start]:
    started: list[Supervised] = []

    def start(*programs: str) -> Supervised:
        started.append(Supervised(tmp_path, *programs))
        return started[-1]

    yield start
    for supervised in started:
        supervised.process.kill()  # the guard ends the rest
        supervised.process.wait()


def test_a_killed_program_is_started_again_and_its_own_processes_are_ended(
    supervise: Start,
) -> None:
    supervised = supervise(program("web", PLAIN))
    first = supervised.latest_pid("web")
    processes = tree(first)
    assert len(processes) == 2
    psutil.Process(first).kill()
    second = supervised.latest_pid("web", start=2)
    assert second != first
    assert left_of(processes) == []
    assert "web ended (killed by SIGKILL); starting it again in 0.5 s" in supervised.said()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_in_order(supervise: Start, number: int) -> None:
    supervised = supervise(program("broker", PLAIN, "stop_order=9"), program("web", PLAIN))
    supervised.latest_pid("broker")
    supervised.latest_pid("web")
    processes = tree(supervised.process.pid)
    supervised.process.send_signal(number)
    assert supervised.process.wait() == 0
    assert left_of(processes) == []
    ends = [line.split()[0] for line in supervised.said().splitlines() if "ending" in line]
    assert ends == ["web", "broker"]


def test_a_program_that_does_not_end_is_killed(supervise: Start) -> None:
    supervised = supervise(program("worker", STUBBORN, "grace=0.2"))
    supervised.latest_pid("worker")
    processes = tree(supervised.process.pid)
    supervised.process.terminate()
    assert supervised.process.wait() == 0
    assert left_of(processes) == []
    assert "worker took longer than 0.2 s to end: killed" in supervised.said()


def test_a_second_signal_shortens_the_wait(supervise: Start) -> None:
    supervised = supervise(program("worker", STUBBORN, "grace=3600"))
    supervised.latest_pid("worker")
    supervised.process.terminate()
    wait_for(lambda: "ending" in supervised.said(), "the first request to end")
    supervised.process.terminate()
    assert supervised.process.wait() == 0


def test_a_killed_supervisor_leaves_no_process(supervise: Start) -> None:
    supervised = supervise(program("web", PLAIN), program("worker", STUBBORN))
    supervised.latest_pid("web")
    supervised.latest_pid("worker")
    processes = tree(supervised.process.pid)
    assert len(processes) == 6  # the supervisor, its guard, and two for each program
    supervised.process.kill()
    supervised.process.wait()
    wait_for(lambda: not left_of(processes), "the end of every process")


def test_a_killed_guard_is_replaced(supervise: Start) -> None:
    supervised = supervise(program("web", PLAIN))
    supervised.latest_pid("web")
    (guard,) = guards(supervised)
    guard.kill()
    wait_for(lambda: [one for one in guards(supervised) if one != guard], "another guard")
    processes = tree(supervised.process.pid)
    supervised.process.kill()
    supervised.process.wait()
    wait_for(lambda: not left_of(processes), "the end of every process")


def test_programs_that_cannot_start_are_given_up_with_a_sentence(supervise: Start) -> None:
    supervised = supervise(program("web", "raise SystemExit('no such module')"))
    assert supervised.process.wait() == 1
    assert supervised.said().count("no such module") == 4
    assert "web ended 4 times while starting (exit status 1)" in supervised.said()


def test_an_errand_runs_once_and_its_end_is_everybodys(supervise: Start) -> None:
    supervised = supervise(
        program("web", PLAIN),
        program("demo", "print('1'); raise SystemExit(3)", "once=True, ends_all=True, speaks=True"),
    )
    assert supervised.process.wait() == 3
    # It writes by itself, so what another says may come before the end of its line.
    assert [line for line in supervised.said().splitlines() if line.startswith("1")]


def test_a_program_that_is_not_there_is_given_up_and_leaves_no_process(supervise: Start) -> None:
    missing = "Program('broker', ('/nowhere/valkey-server',))"
    supervised = supervise(program("web", PLAIN), missing)
    supervised.latest_pid("web")
    processes = tree(supervised.process.pid)
    assert supervised.process.wait() == 1
    assert left_of(processes) == []
    assert "broker ended 4 times while starting ([Errno 2] No such file" in supervised.said()
