"""What a process may use while it reads a file that nobody vouches for."""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from worker.video import sandbox

PICTURE_BUFFERS = 40  # decoded pictures that a codec may hold at once, all threads together
BYTES_PER_PIXEL = 4
GROUND_BYTES = 1 << 30  # address space beside pictures: libraries' arenas, stacks, the packet table
LARGEST_PICTURE = 64 << 20  # pixels
_DRIVER_DESCRIPTORS = 256  # NVIDIA's opens its devices anew for much of what it does
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def confine(
    cpu_seconds: int | None,
    largest_file: int = 0,
    readable: Sequence[Path] = (),
    devices: Sequence[Path] = (),
    files: int = 1,
) -> None:
    """Limit this process before it reads anything: memory, time, no files, no sockets, no core dump.

    `largest_file`: bytes that it may write into a file which is open already; `readable`: folders in
    which it may still open files; `devices`: a GPU's, which its driver goes on opening, and with which
    memory is not limited; `files`: how many it reads at once.

    A terminal's Ctrl-C is left to the parent, which ends this process in its own order.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    _limit(resource.RLIMIT_CORE, 0, 0)
    _limit(resource.RLIMIT_FSIZE, largest_file, largest_file)
    descriptors = 32 * files + (_DRIVER_DESCRIPTORS if devices else 0)
    _limit(resource.RLIMIT_NOFILE, descriptors, descriptors)
    if cpu_seconds is not None:
        _limit(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 5)
    if not devices:  # whose driver reserves more addresses than any limit that would mean something
        most = _address_space() + GROUND_BYTES + _picture_bytes(LARGEST_PICTURE)
        _limit(resource.RLIMIT_AS, most, most)
        allow_pixels(1920 * 1080)
    sandbox.enter(readable, devices)


def allow_pixels(pixels: int) -> None:
    """Set the memory limit of a confined process to what pictures of this size need."""
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    if most == resource.RLIM_INFINITY:
        return
    wanted = _address_space() + GROUND_BYTES + _picture_bytes(pixels)
    _limit(resource.RLIMIT_AS, min(wanted, most), most)


def die_with_parent() -> None:
    """Ask the kernel to end this process when the thread that started it ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _picture_bytes(pixels: int) -> int:
    return pixels * BYTES_PER_PIXEL * PICTURE_BUFFERS


def _address_space() -> int:
    """Return the bytes of address space in use. Threads' stacks make it differ between machines."""
    return int(os.pread(_statm(), 128, 0).split()[0]) * resource.getpagesize()


@cache
def _statm() -> int:
    """Return the open /proc/self/statm: in the sandbox it can't be opened any more."""
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


def _limit(which: int, soft: int, hard: int) -> None:
    """Lower a limit; one that is lower already stays."""
    ceiling = resource.getrlimit(which)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(which, (soft, hard))
