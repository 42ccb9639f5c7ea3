"""A window's picture for the page: small, whole and in its own colours."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from worker.stills import encode_still


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [
        (64, 36, (64, 36)),
        (640, 360, (640, 360)),
        (1920, 1080, (640, 360)),
        (1080, 1920, (360, 640)),
        (5000, 2, (640, 1)),
    ],
)
def test_a_still_is_no_larger_than_a_list_shows_it(
    width: int, height: int, shown: tuple[int, int]
) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = (200, 40, 20)
    picture[:, width // 2 :] = (20, 60, 220)
    still = Image.open(BytesIO(encode_still(picture)))
    assert (still.format, still.size) == ("JPEG", shown)
    seen = np.asarray(still.convert("RGB")).astype(int)
    assert np.abs(seen[:, 0] - (200, 40, 20)).max() < 30
    assert np.abs(seen[:, -1] - (20, 60, 220)).max() < 30
