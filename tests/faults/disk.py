"""A small disk of a test's own: a file system in memory, whose size can be changed while it is used."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOMY_BYTES = 2**30  # only what is written takes memory


@dataclass(frozen=True, slots=True)
class Disk:
    path: Path

    def leave(self, room_bytes: int) -> None:
        """Leave room for so many bytes, rounded up to whole pages, and no more."""
        while not self._resize(self._used_bytes() + room_bytes):
            pass  # somebody else has just written

    def fill(self) -> None:
        self.leave(0)

    def make_room(self) -> None:
        assert self._resize(_ROOMY_BYTES)

    def _used_bytes(self) -> int:
        fs = os.statvfs(self.path)
        return (fs.f_blocks - fs.f_bfree) * fs.f_frsize

    def _resize(self, size_bytes: int) -> bool:
        command = ["mount", "-o", f"remount,size={size_bytes}", str(self.path)]
        return subprocess.run(command, capture_output=True).returncode == 0


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """Mount a roomy one on a new folder; skip where that is not allowed."""
    path.mkdir()
    options = f"size={_ROOMY_BYTES},mode=755"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
