"""Owners of chunks and of half files: tokens that are never used twice, and say which process it is.

    <host>-<boot of the machine>-<process namespace>-<process>-<random>

A process number means something only on one machine, since one boot, in one namespace (a container has
its own): only there can be told that the process is gone.
"""

import os
import socket
from functools import cache
from pathlib import Path

from models.ids import new_id


def new_owner() -> str:
    """Return a token for this process, of at most 64 characters."""
    return f"{process_name()}-{new_id()}"


def process_name() -> str:
    """Return the name of this process, with which its owners begin."""
    return f"{socket.gethostname()[:16]}-{_where()}-{os.getpid()}"


def process_of(owner: str) -> str:
    """Return the name of the process that an owner stands for."""
    return owner.rpartition("-")[0]


def is_gone(owner: str) -> bool:
    """Tell whether the owner's process has ended for certain. One that ran elsewhere never has."""
    parts = owner.rsplit("-", 4)
    if len(parts) < 5 or f"{parts[1]}-{parts[2]}" != _where() or not parts[3].isdecimal():
        return False
    try:
        os.kill(int(parts[3]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, as somebody else's
        return False
    return False


@cache
def _where() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"
