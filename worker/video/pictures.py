"""From what a decoder gives to what a commentator takes: upright, square pixels, RGB, of one size.

Interlaced pictures are shrunk as they are: averaging areas blends both fields. Bit depth beyond 8
is rounded; PQ is tone-mapped; HLG is shown as it is, which it was made for.
"""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc, Interpolation, VideoReformatter
from numpy.typing import NDArray

from worker.video.hdr import tone_map


class Scaler:
    """Makes pictures of one size, (width, height) as displayed."""

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._reformatter = VideoReformatter()

    def picture(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return (height, width, 3)."""
        turns = quarter_turns(frame)
        width, height = self._size if turns % 2 == 0 else self._size[::-1]
        high_range = frame.color_trc == ColorTrc.SMPTE2084
        shrinks = frame.width >= width and frame.height >= height
        scaled = self._reformatter.reformat(
            frame,
            width,
            height,
            format="rgb48le" if high_range else "rgb24",
            interpolation=Interpolation.AREA if shrinks else Interpolation.BICUBIC,
            threads=1,
        ).to_ndarray()
        picture = tone_map(scaled) if high_range else scaled.astype(np.uint8, copy=False)
        return np.ascontiguousarray(np.rot90(picture, turns))


def quarter_turns(frame: VideoFrame) -> int:
    """Return how often the frame must be turned left to stand upright."""
    return round(frame.rotation / 90) % 4


def displayed_size(frame: VideoFrame, pixel_aspect: float) -> tuple[int, int]:
    """Return (width, height) of the upright picture with square pixels, never below 1×1.

    The longer way of a pixel is stretched, so that nothing is lost.
    """
    width, height = float(frame.width), float(frame.height)
    if pixel_aspect > 1:
        width *= pixel_aspect
    elif pixel_aspect > 0:
        height /= pixel_aspect
    if quarter_turns(frame) % 2:
        width, height = height, width
    return max(round(width), 1), max(round(height), 1)
