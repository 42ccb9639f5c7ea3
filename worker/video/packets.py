"""When each picture of a stream appears: a table of its packets, made without decoding.

Timestamps in files jump, wrap, lie or are missing. The table's are mended by rules that depend on
the file alone, so that the probe and every later reader of the same file agree on each tick.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from models.errors import TooLarge

VideoPacket: TypeAlias = "Packet[VideoStream]"

NO_PTS = -(1 << 63)
MOST_PACKETS = 12_000_000  # 48 hours at 60 pictures a second, and some
MOST_DEMUX_ERRORS = 20  # in a row, before the rest of the file is given up
JUMP_SECONDS = 10  # a step between neighbours that is looked at twice
LONGEST_PAUSE_SECONDS = 3600  # a longer one is a lie, not a pause
SPLICED_FORMAT = 0x0200  # FFmpeg's AVFMT_TS_DISCONT
NEIGHBOURS = 8  # packets that bear witness to a jump
FEW = Fraction(1, 20)  # share of packets without PTS that are merely never chosen


@dataclass(frozen=True, slots=True)
class PacketTable:
    """A stream's packets in decode order, and its pictures in the order of their appearance."""

    time_base: Fraction  # seconds per tick
    pts: Sequence[int]  # mended ticks
    raw_pts: Sequence[int]  # as in the file, or NO_PTS
    position: Sequence[int]  # byte in the file, or -1
    size: Sequence[int]  # bytes
    key: bytes  # 1: decoding can start here
    order: Sequence[int]  # packets that show a picture, by PTS
    times: Sequence[int]  # their PTS
    interval: int  # ticks between pictures, typically
    last_duration: int  # ticks that the last picture stays, as the file says; 0 if it doesn't
    timed: bool  # False: a picture's packet is only known once its GOP is decoded

    def __len__(self) -> int:
        return len(self.pts)

    def first_at_or_after(self, pts: int | Fraction) -> int:
        """Return a place in `order`; its length if nothing comes."""
        return bisect_left(self.times, pts)

    def gop_start(self, packet: int) -> int:
        """Return the key packet at or before a packet: the first one if there is none."""
        return max(self.key.rfind(1, 0, packet + 1), 0)

    def gops(self) -> int:
        return self.key.count(1)


def stream_packets(container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
    """Yield the stream's packets in file order, past read errors while packets still come."""
    errors = 0
    while errors < MOST_DEMUX_ERRORS:
        try:
            for packet in container.demux(stream):
                if packet.size == 0 and packet.pts is None and packet.dts is None:
                    return  # the end; an empty packet with a time repeats the picture before
                errors = 0
                yield packet
            return
        except av.FFmpegError:
            errors += 1


def read_packet_table(container: InputContainer, stream: VideoStream) -> PacketTable:
    """Read the whole file, decode nothing. Raises TooLarge."""
    raw, dts, position = array("q"), array("q"), array("q")
    size, duration = array("q"), array("q")
    key, shown = bytearray(), bytearray()
    for packet in stream_packets(container, stream):
        if len(raw) == MOST_PACKETS:
            raise TooLarge(f"holds more than {MOST_PACKETS:,} pictures. Split it into parts.")
        raw.append(NO_PTS if packet.pts is None else packet.pts)
        dts.append(NO_PTS if packet.dts is None else packet.dts)
        position.append(-1 if packet.pos is None else packet.pos)
        size.append(packet.size)
        duration.append(packet.duration or 0)
        key.append(packet.is_keyframe)
        shown.append(packet.size > 0 and not packet.is_discard)
    time_base = _fraction(stream.time_base)
    timed = raw.count(NO_PTS) <= len(raw) * FEW
    clock = raw if timed else _invent_pts(dts, time_base, stream)
    splices = bool(container.format.flags & SPLICED_FORMAT)
    pts = mend(clock, round(1 / time_base), splices)
    order = array("q", (i for i in range(len(pts)) if shown[i] and clock[i] != NO_PTS))
    order = array("q", sorted(order, key=pts.__getitem__))
    times = array("q", (pts[i] for i in order))
    return PacketTable(
        time_base=time_base,
        pts=pts,
        raw_pts=raw,
        position=position,
        size=size,
        key=bytes(key),
        order=order,
        times=times,
        interval=_typical_interval(times, time_base),
        last_duration=duration[order[-1]] if order else 0,
        timed=timed,
    )


def mend(clock: Sequence[int], ticks_per_second: int, splices: bool) -> Sequence[int]:
    """Take out timestamps that no player would follow.

    A few stray values are put beside their neighbours; a step back, or forth by more than a pause
    can be, is closed up, as if the parts had been recorded without a break. In formats that may be
    spliced (`splices`: MPEG-TS and the like) every step of JUMP_SECONDS is closed up.
    """
    jump = JUMP_SECONDS * ticks_per_second
    pause = jump if splices else LONGEST_PAUSE_SECONDS * ticks_per_second
    mended = array("q", clock)
    known = [i for i, ticks in enumerate(clock) if ticks != NO_PTS]
    if not known or not _has_jump(clock, known, jump):
        return mended
    step = _typical_step(clock, known)
    shift, latest = 0, clock[known[0]]
    for place, i in enumerate(known):
        ticks = clock[i] + shift
        if not -jump <= ticks - latest <= jump:
            witnesses = [clock[j] + shift for j in known[place + 1 : place + 1 + NEIGHBOURS]]
            stay = sum(abs(w - ticks) <= jump for w in witnesses)
            back = sum(abs(w - latest) <= jump for w in witnesses)
            if back > stay:
                ticks = latest + step
            elif not 0 < ticks - latest <= pause:
                shift += latest + step - ticks
                ticks = latest + step
        mended[i] = ticks
        latest = max(latest, ticks)
    return mended


def _has_jump(clock: Sequence[int], known: Sequence[int], jump: int) -> bool:
    return any(abs(clock[after] - clock[before]) > jump for before, after in pairwise(known))


def _typical_step(clock: Sequence[int], known: Sequence[int]) -> int:
    ordered = sorted(clock[i] for i in known)
    return _median([b - a for a, b in pairwise(ordered) if b > a], default=1)


def _typical_interval(times: Sequence[int], time_base: Fraction) -> int:
    gaps = [b - a for a, b in pairwise(times) if b > a]
    return _median(gaps, default=max(round(Fraction(1, 25) / time_base), 1))


def _median(values: list[int], default: int) -> int:
    return sorted(values)[len(values) // 2] if values else default


def _invent_pts(dts: Sequence[int], time_base: Fraction, stream: VideoStream) -> Sequence[int]:
    """Return ticks for packets that carry none: decode times, else n / rate."""
    if NO_PTS not in dts:
        return array("q", sorted(dts))
    rate = stream.average_rate or stream.guessed_rate or 25
    ticks = 1 / (_fraction(rate) * time_base)
    return array("q", (round(i * ticks) for i in range(len(dts))))


def _fraction(ratio: object) -> Fraction:
    """Return PyAV's ratio, whose type differs between its versions, as a Fraction."""
    if isinstance(ratio, int):
        return Fraction(ratio)
    return Fraction(ratio.numerator, ratio.denominator)  # type: ignore[attr-defined]
