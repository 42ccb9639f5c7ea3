"""The pictures of each window, decoded with as little work as gives them exactly."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from models.errors import Unsupported
from worker.video.choosing import (
    Bounds,
    choose,
    distinct,
    earliest_stand_in,
    preference,
    span_to_repair,
    spans_to_feed,
)
from worker.video.footage import Footage
from worker.video.packets import PacketTable
from worker.video.source import Source

Picture = NDArray[np.uint8]
MakePicture = Callable[[VideoFrame], Picture]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one file. All times are ticks of its video stream."""

    source: Source
    stream_index: int
    bounds: Bounds
    windows: Sequence[Sequence[Fraction]]  # when each window samples
    slot: Fraction  # between two samples
    on_gpu: bool = False  # by its decoder, or not at all


@dataclass(frozen=True, slots=True)
class Pictures:
    """What one window shows: (PTS, picture) in order, each once."""

    pictures: Sequence[tuple[int, Picture]]
    decode_ms: float


def sample_windows(
    request: Request, table: PacketTable, make_picture: MakePicture
) -> Generator[Pictures, None, None]:
    """Yield the pictures of one window after the other. Raises AppErrors.

    On the GPU nothing is put up with: whatever goes wrong there raises Unsupported, for the CPU to do it.
    """
    choices = [
        {due: choose(table, request.bounds, due, request.slot) for due in window}
        for window in request.windows
    ]
    uses = Counter(p for chosen in choices for p in set(chosen.values()) if p is not None)
    footage = Footage(
        request.source, request.stream_index, table, frame_threads=True, on_gpu=request.on_gpu
    )
    arrivals = _Arrivals(footage, uses, make_picture)
    try:
        for chosen in choices:
            started = perf_counter()
            pictures = arrivals.wait_for([p for p in chosen.values() if p is not None])
            broken = [due for due, p in chosen.items() if p is not None and p not in pictures]
            if broken and request.on_gpu:
                raise Unsupported("has pictures that the GPU doesn't decode.")
            if broken:
                pictures |= _repair(request, table, broken, make_picture)
            shown = [(table.pts[p], pictures[p]) for p in distinct(pictures, table)]
            yield Pictures(shown, (perf_counter() - started) * 1000)
    finally:
        footage.close()


class _Arrivals:
    """Pictures as the decoder gives them, kept until every window that shows them has had them."""

    def __init__(self, footage: Footage, uses: Counter[int], make_picture: MakePicture) -> None:
        self._table = footage.table
        self._uses = uses
        self._make_picture = make_picture
        self._frames = (
            arrival
            for span in spans_to_feed(footage.table, uses)
            for arrival in footage.pictures(span, wanted=uses)
        )
        self._kept: dict[int, Picture] = {}
        self._horizon: float = float("-inf")  # PTS; no earlier picture is still to come

    def wait_for(self, packets: Sequence[int]) -> dict[int, Picture]:
        """Return the packets' pictures, without those that can't be decoded."""
        while any(p not in self._kept and self._table.pts[p] > self._horizon for p in packets):
            self._take_next()
        found = {p: self._kept[p] for p in packets if p in self._kept}
        for packet in set(packets):
            self._uses[packet] -= 1
            if self._uses[packet] == 0:
                self._kept.pop(packet, None)
        return found

    def _take_next(self) -> None:
        packet, frame = next(self._frames, (None, None))
        if packet is None or frame is None:
            self._horizon = float("inf")
            return
        self._horizon = self._table.pts[packet]
        if self._uses[packet] > 0:
            self._kept[packet] = self._make_picture(frame)


def _repair(
    request: Request, table: PacketTable, broken: Sequence[Fraction], make_picture: MakePicture
) -> dict[int, Picture]:
    """Choose again for sample times whose picture can't be decoded, among those that can."""
    earliest = {due: earliest_stand_in(table, due, request.slot) for due in broken}
    span = span_to_repair(table, min(earliest.values()), max(broken) + request.slot)
    best: dict[Fraction, tuple[int, VideoFrame]] = {}
    footage = Footage(request.source, request.stream_index, table, frame_threads=False)
    try:
        for packet, frame in footage.pictures(span):
            pts = table.pts[packet]
            if not request.bounds.origin_pts <= pts <= request.bounds.last_pts:
                continue
            for due in broken:
                if not earliest[due] <= pts < due + request.slot:
                    continue
                if due not in best or preference(pts, due) > preference(
                    table.pts[best[due][0]], due
                ):
                    best[due] = (packet, frame)
        return {packet: make_picture(frame) for packet, frame in best.values()}
    finally:
        footage.close()
