"""Packet tables as bytes, and those that the decoders of a process share.

A table takes half a second to read for each hour of video, and dozens of children may work on one
file: the first reads it, the others are given it.
"""

import json
import os
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import Self, TypeAlias

import numpy as np

from worker.video.packets import MOST_PACKETS, PacketTable

Column: TypeAlias = "array[int]"

MOST_BYTES = 64 << 20  # of all shared tables: some twelve hours at 60 pictures a second
MOST_FILES = 64
ROW_BYTES = 5 * 8 + 1  # of a packet, at most
LONGEST_HEAD = 256  # bytes
HEAD_RANGES = (
    (1, (1 << 31) - 1),  # time base: numerator, denominator
    (1, (1 << 31) - 1),
    (1, (1 << 63) - 1),  # interval
    (-(1 << 63), (1 << 63) - 1),  # last duration
    (0, 1),  # ordered
    (0, MOST_PACKETS),  # packets
    (0, MOST_PACKETS),  # of them, pictures
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Tells a stream of a file from those of other files, and of what the file was before."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    stream_index: int

    @classmethod
    def of(cls, descriptor: int, stream_index: int) -> Self:
        """Look at an open file, as far as that goes without reading it."""
        found = os.fstat(descriptor)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, stream_index)


class SharedTables:
    """The packed tables of the last files. Serves any number of threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._tables: OrderedDict[Identity, bytes] = OrderedDict()
        self._turns: dict[Identity, Lock] = {}

    def obtain(self, identity: Identity, read: Callable[[], bytes]) -> bytes:
        """Return a file's table; b"" if it is too large to share.

        Who asks first reads it, and the others wait for that; if it fails, the next one tries.
        """
        with self._lock:
            turn = self._turns.setdefault(identity, Lock())
        with turn:
            with self._lock:
                if identity in self._tables:
                    self._tables.move_to_end(identity)
                    return self._tables[identity]
            table = read()
            with self._lock:
                self._keep(identity, table if len(table) <= self._most_bytes else b"")
            return table

    def _keep(self, identity: Identity, table: bytes) -> None:
        self._tables[identity] = table
        while (
            sum(map(len, self._tables.values())) > self._most_bytes
            or len(self._tables) > MOST_FILES
        ):
            self._turns.pop(self._tables.popitem(last=False)[0], None)


def pack(table: PacketTable) -> bytes:
    """Return a line of JSON and the columns, which only this machine's processes read."""
    head = (
        *table.time_base.as_integer_ratio(),
        table.interval,
        table.last_duration,
        int(table.ordered),
        len(table),
        len(table.order),
    )
    columns = (table.pts, table.raw_pts, table.position, table.size, table.order)
    return b"".join(
        (json.dumps(head).encode(), b"\n", table.key, *(array("q", c).tobytes() for c in columns))
    )


def unpack(packed: bytes) -> PacketTable:
    """Undo pack(), which a hostile file may have made another process fake. Raises ValueError.

    What it returns is sound, whoever packed it: it may be wrong for its file, as a file that was
    changed makes it, but no place in it leads out of it.
    """
    end = packed.find(b"\n", 0, LONGEST_HEAD)
    ticks, second, interval, last_duration, ordered, packets, pictures = _head(
        packed[: max(end, 0)]
    )
    if len(packed) - end - 1 != packets + 8 * (4 * packets + pictures):
        raise ValueError(f"a packet table of {len(packed)} bytes for {packets} packets")
    key = packed[end + 1 : end + 1 + packets]
    columns = array("q")
    columns.frombytes(memoryview(packed)[end + 1 + packets :])
    pts, raw_pts, position, size = (columns[i * packets : (i + 1) * packets] for i in range(4))
    order = columns[4 * packets :]
    _check(key, pts, position, size, order)
    return PacketTable(
        time_base=Fraction(ticks, second),
        pts=pts,
        raw_pts=raw_pts,
        position=position,
        size=size,
        key=key,
        order=order,
        times=array("q", map(pts.__getitem__, order)),
        interval=interval,
        last_duration=last_duration,
        ordered=bool(ordered),
    )


def _head(line: bytes) -> list[int]:
    """Return the numbers before the columns, each in its range. Raises ValueError."""
    head = json.loads(line)
    if not isinstance(head, list) or len(head) != len(HEAD_RANGES):
        raise ValueError("no head of a packet table")
    for number, (least, most) in zip(head, HEAD_RANGES, strict=True):
        if type(number) is not int or not least <= number <= most:
            raise ValueError(f"{number!r:.40} in the head of a packet table")
    if head[-1] > head[-2]:
        raise ValueError("more pictures than packets in a packet table")
    return head


def _check(key: bytes, pts: Column, position: Column, size: Column, order: Column) -> None:
    """Check ranges and order of the columns. Raises ValueError."""
    if key.count(0) + key.count(1) != len(key):
        raise ValueError("a packet table with keys that are neither 0 nor 1")
    if min(position, default=0) < -1 or min(size, default=0) < 0:
        raise ValueError("a packet table with negative places or sizes")
    if min(order, default=0) < 0 or max(order, default=-1) >= len(pts):
        raise ValueError("a packet table with pictures of packets that it lacks")
    places = np.frombuffer(order, dtype=np.int64)
    times = np.frombuffer(pts, dtype=np.int64)[places]
    later = (times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (places[1:] > places[:-1]))
    if not later.all():
        raise ValueError("a packet table with pictures out of order")
