"""Look at real processes from a test."""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

T = TypeVar("T")

PATIENCE = 60.0  # seconds: generous, for a busy machine


def wait_for(condition: Callable[[], T | None], what: str) -> T:
    """Return the condition's first true value; fail with `what` if it never comes."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain for {what}"
        time.sleep(0.05)
    return value


def command_line(process: psutil.Process) -> list[str]:
    """Return what was run; nothing if it has ended since."""
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:  # zombies too
        return []


def tree(pid: int) -> list[psutil.Process]:
    """Return the process and all that it started, directly or not."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def left_of(processes: Iterable[psutil.Process]) -> list[str]:
    """Say which of them still run; a zombie, which only waits to be counted, does not."""
    left = []
    for process in processes:
        if process.is_running() and (argv := command_line(process)):
            left.append(f"{process.pid}: {' '.join(argv)}")
    return left
