"""Which picture stands for a moment. Pure arithmetic on a packet table; all times are ticks."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction

from worker.video.packets import PacketTable

SHORT_GAP = 12  # packets between two spans that are fed rather than skipped


@dataclass(frozen=True, slots=True)
class Bounds:
    """The first and the last picture that may be chosen."""

    origin_pts: int
    last_pts: int


@dataclass(frozen=True, slots=True)
class Span:
    """Packets that are fed to the decoder in one go, both ends included."""

    first: int
    last: int


def choose(table: PacketTable, bounds: Bounds, due: Fraction, slot: Fraction) -> int | None:
    """Return the packet whose picture stands for `due`, None if there is none.

    That is the first picture at or after `due`, if it appears within `slot`; else the one that is
    on display at `due`, so that a still screen isn't described by a picture of the far future.
    """
    place = table.first_at_or_after(due)
    end = min(due + slot, Fraction(bounds.last_pts + 1))
    if place < len(table.times) and table.times[place] < end:
        return table.order[place]
    place -= 1
    if place >= 0 and table.times[place] >= bounds.origin_pts:
        return table.order[place]
    return None


def earliest_stand_in(table: PacketTable, due: Fraction, slot: Fraction) -> Fraction:
    """Return the PTS from which a picture may stand for `due` when the chosen one is broken."""
    displayed = table.first_at_or_after(due) - 1
    earliest = due - slot
    return min(earliest, Fraction(table.times[displayed])) if displayed >= 0 else earliest


def preference(pts: int, due: Fraction) -> tuple[bool, int]:
    """Order pictures by how well they stand for `due`: `choose` picks the greatest."""
    return (True, -pts) if pts >= due else (False, pts)


def spans_to_feed(table: PacketTable, wanted: Collection[int]) -> list[Span]:
    """Return what must be fed so that every wanted packet decodes exactly, in decode order."""
    spans: list[Span] = []
    for packet in sorted(wanted):
        span = _span_of(table, packet)
        if spans and span.first - spans[-1].last <= SHORT_GAP:
            span = Span(spans.pop().first, span.last)
        spans.append(span)
    return spans


def span_to_repair(table: PacketTable, earliest: Fraction, end: Fraction) -> Span:
    """Return what must be fed to get every picture in [earliest, end) that decodes at all.

    It starts a GOP early, because key packets of damaged files often aren't.
    """
    begin = max(table.first_at_or_after(earliest) - 1, 0)
    packets = table.order[begin : table.first_at_or_after(end)]
    start = table.gop_start(min(packets))
    return Span(table.gop_start(max(start - 1, 0)), max(packets))


def gop_end(table: PacketTable, packet: int) -> int:
    """Return the last packet that is decoded with this one."""
    after = table.key.find(1, packet + 1)
    return (len(table) if after < 0 else after) - 1


def distinct(packets: Iterable[int], table: PacketTable) -> list[int]:
    """Return each packet once, in order of appearance."""
    return sorted(set(packets), key=lambda packet: (table.pts[packet], packet))


def _span_of(table: PacketTable, packet: int) -> Span:
    first = table.gop_start(packet)
    if not table.ordered:
        return Span(table.gop_start(max(first - 1, 0)), gop_end(table, packet))
    if first > 0 and table.pts[packet] < table.pts[first]:
        first = table.gop_start(first - 1)  # a leading picture leans on the GOP before its own
    return Span(first, packet)
