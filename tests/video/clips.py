"""Clips with known times: every picture carries its number as a bar code."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from worker.video.packets import VideoPacket

WIDTH, HEIGHT = 128, 64
BITS = 8
TITLE = "A title of no importance"


@contextmanager
def kept_priority() -> Iterator[None]:
    """Give this thread its scheduling back: as root, SVT-AV1 leaves it the most urgent of real-time ones.

    Every process begun afterwards inherits that, and together they starve the machine.
    """
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def write_clip(
    path: Path,
    pts_ms: Sequence[int],
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    rotation: int = 0,
    pixel_aspect: Fraction | None = None,
    muxer_options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    alter: Callable[[int, VideoPacket], None] = lambda number, packet: None,
) -> Path:
    """Encode one picture per time; `alter` may change the n-th packet before it is written."""
    with kept_priority(), av.open(str(path), "w", options=muxer_options or {}) as container:
        container.metadata["title"] = TITLE
        stream = container.add_stream(codec, rate=25, options=options or {})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        tick = Fraction(1, 25) if codec.startswith("mpeg") else Fraction(1, 1000)
        stream.time_base = stream.codec_context.time_base = tick
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation:
            stream.set_display_rotation(rotation)
        packets: list[VideoPacket] = []
        for number, pts in enumerate(pts_ms):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = round(pts / 1000 / tick), tick
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for number, packet in enumerate(packets):
            alter(number, packet)
            container.mux(packet)
    return path


def picture(number: int) -> NDArray[np.uint8]:
    """Return a picture that says its number: one bit per column, the lowest at the left."""
    bits = [255 * (number >> bit & 1) for bit in range(BITS)]
    row = np.repeat(np.array(bits, dtype=np.uint8), WIDTH // BITS)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)))


def number_of(image: NDArray[np.uint8]) -> int:
    """Read the number of an upright picture of any size."""
    width = image.shape[1]
    columns = [int((bit + 0.5) * width / BITS) for bit in range(BITS)]
    row = image[image.shape[0] // 2, columns, 1]
    return sum(int(value > 127) << bit for bit, value in enumerate(row))


def damage(path: Path, numbers: Sequence[int], keep: int = 0) -> Path:
    """Overwrite the n-th packets of the video, but for their first `keep` bytes."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    for number in numbers:
        packet = packets[number]
        assert packet.pos is not None
        start, end = packet.pos + keep, packet.pos + packet.size
        content[start:end] = b"\xff" * (end - start)
    path.write_bytes(content)
    return path


def cut_off(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
