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
DEEPEST_REORDER = 32  # packets between decoding a picture and showing it
NEIGHBOURS = 16  # packets on either side that bear witness to a timestamp
MOST_STRAYS = 2  # timestamps that agree with each other but with no neighbour
FEW = Fraction(1, 20)  # share of packets that may lack a PTS


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
    ordered: bool  # False: the n-th picture of a GOP takes the n-th PTS, whatever its packet's is

    def __len__(self) -> int:
        return len(self.pts)

    def first_at_or_after(self, pts: int | Fraction) -> int:
        """Return a place in `order`; its length if nothing comes."""
        return bisect_left(self.times, pts)

    def gop_start(self, packet: int) -> int:
        """Return the key packet at or before a packet: the first one if there is none."""
        return max(self.key.rfind(1, 0, packet + 1), 0)


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
    clock = raw if is_timed(raw) else _invent_pts(dts, time_base, stream)
    pts = mend(clock, round(1 / time_base), bool(container.format.flags & SPLICED_FORMAT))
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
        ordered=is_timed(raw) and not _is_guessed(container, stream),
    )


def is_timed(raw_pts: Sequence[int]) -> bool:
    """Tell whether the file gives presentation times; a few packets without are never chosen."""
    return sum(pts == NO_PTS for pts in raw_pts) <= len(raw_pts) * FEW


def _is_guessed(container: InputContainer, stream: VideoStream) -> bool:
    """Tell whether FFmpeg made up the PTS: AVI stores none, and pictures may be reordered."""
    return container.format.name == "avi" and stream.codec_context.codec.reorder


def mend(clock: Sequence[int], ticks_per_second: int, spliced: bool) -> Sequence[int]:
    """Take out timestamps that no player would follow; `clock` is in decode order.

    A few stray values are put beside their neighbours. A step back, or forth by more than a pause
    can be, is closed up, as if the parts had been recorded without a break. In formats that may be
    spliced (MPEG-TS and the like) every step of JUMP_SECONDS is closed up.
    """
    mended = array("q", clock)
    known = [i for i, ticks in enumerate(clock) if ticks != NO_PTS]
    if not known:
        return mended
    jump = JUMP_SECONDS * ticks_per_second
    pause = jump if spliced else LONGEST_PAUSE_SECONDS * ticks_per_second
    step = _median(_gaps(sorted(clock[i] for i in known)), default=1)
    if _is_displaced(mended, known):
        _settle_strays(mended, known, jump, step)
        if _is_displaced(mended, known):
            _close_steps_back(mended, known, min(jump, DEEPEST_REORDER * step), step)
    _close_pauses(mended, known, pause, step)
    return mended


def _is_displaced(mended: Sequence[int], known: Sequence[int]) -> bool:
    """Tell whether a picture appears further from its place in the file than codecs reorder."""
    by_time = sorted(range(len(known)), key=lambda place: mended[known[place]])
    return any(abs(rank - place) > DEEPEST_REORDER for rank, place in enumerate(by_time))


def _settle_strays(mended: array, known: Sequence[int], jump: int, step: int) -> None:  # type: ignore[type-arg]
    """Put timestamps that have next to none of their neighbours near them after the one before."""
    before = 0
    for place, i in enumerate(known):
        around = known[max(place - NEIGHBOURS, 0) : place + NEIGHBOURS + 1]
        near = sum(abs(mended[j] - mended[i]) <= jump for j in around)
        if near <= MOST_STRAYS < len(around) // 2:
            mended[i] = mended[known[before]] + step if place else mended[known[1]] - step
        before = place


def _close_steps_back(mended: array, known: Sequence[int], back: int, step: int) -> None:  # type: ignore[type-arg]
    """Move what follows a step back behind what came before it."""
    shift, latest = 0, mended[known[0]]
    for place, i in enumerate(known):
        ahead = known[place : place + NEIGHBOURS]
        behind = sum(mended[j] + shift < latest - back for j in ahead)
        if 2 * behind > len(ahead) and mended[i] + shift < latest - back:
            shift = latest + step - mended[i]
        mended[i] += shift
        latest = max(latest, mended[i])


def _close_pauses(mended: array, known: Sequence[int], pause: int, step: int) -> None:  # type: ignore[type-arg]
    by_time = sorted(known, key=mended.__getitem__)
    shift, before = 0, mended[by_time[0]]
    for i in by_time:
        ticks = mended[i]
        if ticks - before > pause:
            shift += before + step - ticks
        mended[i] = ticks + shift
        before = ticks


def _gaps(ordered: Sequence[int]) -> list[int]:
    return [b - a for a, b in pairwise(ordered) if b > a]


def _typical_interval(times: Sequence[int], time_base: Fraction) -> int:
    return _median(_gaps(times), default=max(round(Fraction(1, 25) / time_base), 1))


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
