"""Small real video files, made on the spot."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_clip(
    path: Path, *, seconds: int = 6, codec: str = "libx264", rate: int = 10, seed: int = 0
) -> Path:
    """Write a clip of coloured bars that move; `seed` makes another content."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.time_base = Fraction(1, rate)
        for index in range(seconds * rate):
            frame = av.VideoFrame.from_ndarray(_picture(index, seed), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_large_clip(path: Path, size: int, seed: int = 0) -> Path:
    """Write an MP4 of `size` bytes: a clip, and a box of noise that players pass over."""
    write_clip(path, seed=seed)
    rest = size - path.stat().st_size - 8
    noise = np.random.default_rng(seed).bytes(rest)
    with path.open("ab") as file:
        file.write((rest + 8).to_bytes(4, "big") + b"free" + noise)
    return path


def _picture(index: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = np.full((180, 320, 3), (30, 40 + seed % 100, 70), np.uint8)
    left = index * 4 % 280
    picture[60:120, left : left + 40] = (240, 190, 60)
    picture[20:40, 20 : 20 + index % 280] = (90, 200, 160)
    return picture
