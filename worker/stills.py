"""Stills: one small JPEG per window, for lists and for videos that a browser can't play."""

from io import BytesIO

from PIL import Image

from worker.commentator import Picture

_LONG_SIDE = 640  # pixels


def encode_still(picture: Picture) -> bytes:
    """Return a JPEG of the picture, made smaller where it is large."""
    still = Image.fromarray(picture)
    still.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = BytesIO()
    still.save(out, "JPEG", quality=80)
    return out.getvalue()
