"""Clips that tests make: what moves when is known."""

from pathlib import Path

import av
import numpy as np


def write_moving_square(path: Path, seconds: int, fps: int = 10) -> Path:
    """Write H.264 footage: a bright square wanders over a dark floor, with a key frame every 5 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"preset": "ultrafast", "g": str(5 * fps), "threads": "1"}
        for index in range(seconds * fps):
            picture = np.full((180, 320, 3), 40, np.uint8)
            left = (index * 7) % 280
            picture[60:100, left : left + 40] = 220
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
