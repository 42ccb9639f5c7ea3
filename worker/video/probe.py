"""Child program: find out what a video file holds, by reading and decoding it.

Reads {"descriptor": ...}, a file that its parent has opened for it, from standard input, writes one JSON object to standard output:
{"facts": {...}} or {"failure": {"kind": ..., "text": ...}}. The text follows the file's name.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.errors import AppError, BadFile, OutOfMemory, TooLarge
from worker.video.choosing import Span, gop_end
from worker.video.confinement import confine
from worker.video.footage import Footage
from worker.video.opening import (
    UPLOAD_AGAIN,
    choose_stream,
    moving_streams,
    open_container,
    prepare,
)
from worker.video.packets import PacketTable, is_timed, read_packet_table
from worker.video.pictures import displayed_size
from worker.video.source import Source

CPU_SECONDS = 120
LONGEST_SECONDS = 48 * 3600
PACKETS_BEFORE_FIRST_PICTURE = 3000  # then the file counts as undecodable
LAST_PACKETS = 600  # the end is searched for its last decodable picture within these
LONGEST_LAST_PICTURE_SECONDS = 60  # a longer one is believed only if the header agrees
STRANGEST_PIXEL = 10  # a pixel is at most so many times as long as wide


@dataclass(frozen=True, slots=True)
class Tail:
    """What decoding the end of the stream showed."""

    last: int  # packet of the last picture, by PTS, that can be decoded
    missing_pts: list[int]  # of pictures before it that can't


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself, to be doubted."""

    container: str
    codec: str
    pixel_format: str
    pixel_aspect: float  # width / height of one pixel
    has_audio: bool
    video_streams: int
    video_seconds: Fraction | None  # of the stream, or of the whole file if it doesn't say


def main() -> None:
    confine(CPU_SECONDS)
    av.logging.set_level(None)  # any level lets FFmpeg's threads wait for Python's lock: deadlock
    source = Source(json.load(sys.stdin)["descriptor"])
    try:
        answer: dict[str, Any] = {"facts": probe_file(source)}
    except AppError as error:
        answer = {"failure": {"kind": error.kind, "text": str(error)}}
    except MemoryError:
        text = "needs more memory than reading a video may take. Upload a smaller version."
        answer = {"failure": {"kind": OutOfMemory.kind, "text": text}}
    json.dump(answer, sys.stdout)


def probe_file(source: Source) -> dict[str, Any]:
    """Return the values of VideoFacts. Raises AppErrors."""
    with open_container(source) as container:
        stream = choose_stream(container)
        header = _read_header(container, stream)
        stream_index = stream.index
        prepare(container, stream, frame_threads=False)
        table = read_packet_table(container, stream)
    if not table.order:
        raise BadFile(
            "has a header that promises video, but no pictures follow: the file is cut off or "
            f"damaged. {UPLOAD_AGAIN}"
        )
    footage = Footage(source, stream_index, table, frame_threads=False)
    try:
        first, frame = _first_picture(footage)
        tail = _look_at_the_end(footage)
    finally:
        footage.close()
    return _facts(header, stream_index, table, first, frame, tail)


def _read_header(container: InputContainer, stream: VideoStream) -> Header:
    codec = stream.codec_context
    aspect = stream.sample_aspect_ratio or (codec.sample_aspect_ratio if codec else None)
    if stream.duration is not None and stream.time_base is not None:
        seconds: Fraction | None = Fraction(stream.duration) * Fraction(
            stream.time_base.numerator, stream.time_base.denominator
        )
    else:
        seconds = None if container.duration is None else Fraction(container.duration, av.time_base)
    return Header(
        container=container.format.name,
        codec=codec.codec.canonical_name if codec else "",
        pixel_format=(codec.pix_fmt or "") if codec else "",
        pixel_aspect=_believable_aspect(float(aspect) if aspect else 1.0),
        has_audio=bool(container.streams.audio),
        video_streams=len(moving_streams(container)),
        video_seconds=seconds,
    )


def _believable_aspect(aspect: float) -> float:
    return aspect if 1 / STRANGEST_PIXEL <= aspect <= STRANGEST_PIXEL else 1.0


def _first_picture(footage: Footage) -> tuple[int, VideoFrame]:
    """Return the first picture that a player could show. Raises BadFile."""
    last = min(PACKETS_BEFORE_FIRST_PICTURE, len(footage.table)) - 1
    for packet, frame in footage.pictures(Span(0, last)):
        return packet, frame
    raise BadFile(
        "can't be decoded: none of its pictures is intact. The file is damaged or encrypted. "
        f"{UPLOAD_AGAIN}"
    )


def _look_at_the_end(footage: Footage) -> Tail:
    """Decode the last GOP; if nothing of it decodes, the ones before it."""
    table = footage.table
    for span in _last_gops(table):
        decoded = {packet for packet, _ in footage.pictures(span)}
        if decoded:
            last = max(decoded, key=table.pts.__getitem__)
            return Tail(last, _missing(table, span, decoded, last))
    return Tail(table.order[-1], [])


def _last_gops(table: PacketTable) -> Iterator[Span]:
    """Yield the GOPs from the end backwards, as far as LAST_PACKETS reach."""
    end = len(table) - 1
    while end >= 0:
        start = table.gop_start(end)
        if len(table) - start > LAST_PACKETS:
            return
        yield Span(start if table.ordered else table.gop_start(max(start - 1, 0)), end)
        end = start - 1


def _missing(table: PacketTable, span: Span, decoded: set[int], last: int) -> list[int]:
    """Return the PTS of broken pictures; those that lean on what comes before aren't meant."""
    lead_in = not table.ordered and span.first > 0  # whose pictures are never given
    first = gop_end(table, span.first) + 1 if lead_in else span.first
    if first > last:
        return []
    start, end = table.pts[first], table.pts[last]
    shown = table.order[table.first_at_or_after(start) : table.first_at_or_after(end)]
    return [table.pts[p] for p in shown if p not in decoded and first <= p <= span.last]


def _facts(
    header: Header, stream_index: int, table: PacketTable, first: int, frame: VideoFrame, tail: Tail
) -> dict[str, Any]:
    width, height = displayed_size(frame, header.pixel_aspect)
    origin = table.pts[first]
    last_pts = max(origin, table.pts[tail.last])
    end = last_pts + _last_duration(table, header, origin, last_pts)
    if (end - origin) * table.time_base > LONGEST_SECONDS:
        hours = float((end - origin) * table.time_base / 3600)
        raise TooLarge(
            f"lasts {hours:.0f} hours; at most {LONGEST_SECONDS // 3600} are read. "
            "Split it into parts."
        )
    return {
        "container": header.container,
        "codec": header.codec,
        "stream_index": stream_index,
        "width": width,
        "height": height,
        "time_base": str(table.time_base),
        "origin_pts": origin,
        "last_pts": last_pts,
        "end_pts": end,
        "frame_count": len(table.order),
        "has_audio": header.has_audio,
        "mime_type": _mime_type(header, frame.format.name),
        "warnings": [
            *_time_warnings(header, table, origin, last_pts, end),
            *_stream_warnings(header, stream_index, table, origin, tail),
        ],
    }


def _last_duration(table: PacketTable, header: Header, origin: int, last_pts: int) -> int:
    """Return the ticks for which the last picture stays on display, believing no absurd header."""
    ticks = table.last_duration if last_pts == table.times[-1] else 0
    if ticks <= 0:
        return table.interval
    seconds = ticks * table.time_base
    promised = header.video_seconds
    agreed = (
        promised is not None and (last_pts - origin) * table.time_base + seconds <= promised + 1
    )
    return ticks if agreed or seconds <= LONGEST_LAST_PICTURE_SECONDS else table.interval


def _time_warnings(
    header: Header, table: PacketTable, origin: int, last_pts: int, end: int
) -> Iterator[str]:
    late = (origin - table.times[0]) * table.time_base
    if late > 0:
        yield (
            f"The first {_seconds(late)} of the file can't be decoded, because the pictures they "
            "build on are missing: times count from the first picture that can be seen."
        )
    broken = (table.times[-1] - last_pts) * table.time_base
    if broken > 1:
        yield f"The last {_seconds(broken)} of the file can't be decoded."
    seconds = (end - table.times[0]) * table.time_base
    promised = header.video_seconds
    if promised is not None and promised - seconds > max(Fraction(1), promised / 50):
        yield (
            f"The file's header says {_seconds(promised)}, but its pictures end at "
            f"{_seconds(seconds)}: the file may be cut off."
        )


def _stream_warnings(
    header: Header, stream_index: int, table: PacketTable, origin: int, tail: Tail
) -> Iterator[str]:
    if tail.missing_pts:
        at = _seconds((min(tail.missing_pts) - origin) * table.time_base)
        if len(tail.missing_pts) == 1:
            yield f"The file is damaged: one of its pictures, at {at}, can't be decoded and is left out."
        else:
            yield (
                f"The file is damaged: {len(tail.missing_pts)} of its pictures, the first at {at}, "
                "can't be decoded and are left out."
            )
    if header.video_streams > 1:
        yield (
            f"The file holds {header.video_streams} video streams: the first one "
            f"(stream {stream_index}) is used."
        )
    if not is_timed(table.raw_pts):
        yield "The file holds no presentation times: they are counted from its frame rate."


def _seconds(value: Fraction) -> str:
    return f"{float(value):.1f} s"


def _mime_type(header: Header, pixel_format: str) -> str:
    """Return the type as which Chromium plays the file, "" if it doesn't."""
    ordinary = pixel_format in ("yuv420p", "yuvj420p")
    if "mp4" in header.container.split(","):
        plays = (header.codec in ("h264", "vp9") and ordinary) or header.codec == "av1"
        return "video/mp4" if plays else ""
    if "webm" in header.container.split(","):
        plays = (header.codec in ("vp8", "vp9") and ordinary) or header.codec == "av1"
        return "video/webm" if plays else ""
    return ""


if __name__ == "__main__":
    main()
