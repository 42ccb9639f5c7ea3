"""Files that were videos: each is made from its seed and number alone, so each can be made again."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import numpy as np

LARGEST_BASE = 700_000  # bytes; a longer one only takes longer

_MUXERS: dict[str, tuple[str, dict[str, str]]] = {
    "plain.mp4": ("libx264", {}),
    "fragmented.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "old.mov": ("mpeg4", {}),
    "phone.3gp": ("mpeg4", {}),
    "film.mkv": ("libx264", {}),
    "web.webm": ("libvpx", {}),
    "camera.avi": ("mjpeg", {}),
    "broadcast.ts": ("mpeg2video", {}),
    "disc.mpg": ("mpeg2video", {}),
    "stream.flv": ("libx264", {}),
    "window.asf": ("mpeg4", {}),
    "moving.gif": ("gif", {}),
    "bare.h264": ("libx264", {}),
}
"""Name: codec and options of the muxer that the name's ending chooses."""

_NUMBERS = (0, 1, 7, 8, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts", b"dinf"}


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    content: bytes


def write_bases(folder: Path) -> list[Path]:
    """Write a second of video in each kind of file."""
    return [_write(folder / name, *how) for name, how in _MUXERS.items()]


def mutant(seed: int, number: int, bases: Sequence[bytes]) -> Mutant:
    """Return the n-th file of a seed: one base, changed in one to three ways."""
    dice = Random(f"{seed}/{number}")
    content = bytearray(dice.choice(bases))
    changes = dice.choices(_CHANGES, k=dice.choice((1, 1, 2, 3)))
    for change in changes:
        content = change(content, dice, bases) if content else content
    names = "+".join(change.__name__.strip("_") for change in changes)
    return Mutant(f"{number}-{names}", bytes(content))


Change = Callable[[bytearray, Random, Sequence[bytes]], bytearray]


def _flip_bits(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    for _time in range(dice.choice((1, 4, 32, 256))):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    return content


def _flip_header(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    for _time in range(dice.choice((1, 3, 10))):
        content[dice.randrange(min(len(content), 2048))] ^= 1 << dice.randrange(8)
    return content


def _cut_off(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    return content[: dice.randrange(len(content))]


def _splice_header(content: bytearray, dice: Random, bases: Sequence[bytes]) -> bytearray:
    """Begin as another file does."""
    length = dice.choice((16, 64, 512, 4096, 16_384))
    return bytearray(dice.choice(bases)[:length]) + content[length:]


def _set_number(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    """Write limits of number types where sizes, counts and times may stand."""
    for _time in range(dice.choice((1, 5))):
        width = dice.choice("BHIQ")
        value = dice.choice(_NUMBERS) & (256 ** struct.calcsize(width) - 1)
        place = dice.randrange(dice.choice((len(content), min(len(content), 4096))))
        number = struct.pack(dice.choice("<>") + width, value)
        content[place : place + len(number)] = number
    return content


def _blank(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    start, end = _span(content, dice)
    content[start:end] = bytes([dice.choice((0, 0xFF))]) * (end - start)
    return content


def _drop(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    start, end = _span(content, dice)
    return content[:start] + content[end:]


def _repeat(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    start, end = _span(content, dice)
    times = min(dice.choice((2, 50, 2000)), max(2_000_000 // max(end - start, 1), 2))
    return content[:start] + content[start:end] * times + content[end:]


def _swap_boxes(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    """Exchange two boxes of an MP4, two pieces of any other file."""
    boxes = _boxes(content, 0, len(content))
    if len(boxes) < 2:
        middle = dice.randrange(len(content))
        return content[middle:] + content[:middle]
    (a, b), (c, d) = sorted(dice.sample(boxes, 2))
    if b > c:  # one within the other: the inner one goes twice
        return content[:a] + content[c:d] + content[a:b] + content[b:]
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _resize_box(content: bytearray, dice: Random, _: Sequence[bytes]) -> bytearray:
    boxes = _boxes(content, 0, len(content))
    if boxes:
        place, _end = dice.choice(boxes)
        content[place : place + 4] = struct.pack(">I", dice.choice((*_NUMBERS, place)))
    return content


_CHANGES: tuple[Change, ...] = (
    _flip_bits,
    _flip_header,
    _cut_off,
    _splice_header,
    _set_number,
    _blank,
    _drop,
    _repeat,
    _swap_boxes,
    _resize_box,
)


def _span(content: bytearray, dice: Random) -> tuple[int, int]:
    start = dice.randrange(len(content))
    return start, min(start + dice.choice((1, 8, 100, 1000, 20_000)), len(content))


def _boxes(content: bytearray, start: int, end: int) -> list[tuple[int, int]]:
    """Return the spans of an MP4's boxes, those within others too; none in another file."""
    found: list[tuple[int, int]] = []
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        if not 8 <= size <= end - start or not kind.isalnum():
            break
        found.append((start, start + size))
        if kind in _CONTAINERS:
            found += _boxes(content, start + 8, start + size)
        start += size
    return found


def _write(path: Path, codec: str, options: dict[str, str]) -> Path:
    rate = 25
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 176, 144
        stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        stream.codec_context.gop_size = 10
        for number in range(rate):
            picture = np.zeros((144, 176, 3), np.uint8)
            picture[:, number * 6 : number * 6 + 20] = (200, 90, number * 9)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
