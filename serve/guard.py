"""End what a supervisor started when it is gone, however it went: kill -9 included.

Run as a program whose standard input is a pipe from the supervisor. Each line names the process
groups now alive; when the pipe closes, those of the last line are killed. An empty last line says
that all ended well.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable

GONE_WITHIN = 5.0  # seconds that the kernel may take to end a killed process


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS: only zombies are left
        return False
    return True


def kill(groups: Iterable[int]) -> None:
    """Kill the process groups and wait until they are gone."""
    left = [group for group in groups if alive(group)]
    for group in left:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    deadline = time.monotonic() + GONE_WITHIN
    while any(alive(group) for group in left) and time.monotonic() < deadline:
        time.sleep(0.01)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: list[int] = []
    for line in sys.stdin:
        groups = [int(word) for word in line.split()]
    kill(groups)


if __name__ == "__main__":
    main()
