"""End what a supervisor started when it is gone, however it went: kill -9 included.

Run as a program whose standard input is a pipe from the supervisor. Each line names the process
groups now alive; when the pipe closes, those of the last line are killed. An empty last line says
that all ended well.
"""

import os
import signal
import sys
import time

GONE_WITHIN = 1.0  # seconds; not longer, for where nobody reaps orphans they stay as zombies


def kill_group(group: int) -> bool:
    """Kill the processes of a group; tell whether there were any, be it zombies."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # the latter: only zombies, on macOS
        return False
    return True


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: list[int] = []
    for line in sys.stdin:
        groups = [int(word) for word in line.split()]
    deadline = time.monotonic() + GONE_WITHIN
    while (
        left := [group for group in groups if kill_group(group)]
    ) and time.monotonic() < deadline:
        groups = left
        time.sleep(0.02)


if __name__ == "__main__":
    main()
