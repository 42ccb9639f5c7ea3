"""Stills: one small JPEG per window, for lists and for videos that a browser can't play."""

import cv2

from worker.commentator import Picture

_LONG_SIDE = 640  # pixels
_QUALITY = 80


def encode_still(picture: Picture) -> bytes:
    """Return a JPEG of the picture, made smaller where it is large. Other threads may go on meanwhile."""
    height, width, _ = picture.shape
    shrink = min(1.0, _LONG_SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = picture if shrink == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    blue_first = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done
    return data.tobytes()
