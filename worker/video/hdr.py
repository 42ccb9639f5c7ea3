"""Show high dynamic range (SMPTE ST 2084, "PQ", BT.2020) on an ordinary screen.

Works on pictures that are already small, where it costs a few milliseconds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

WHITE_NITS = 203  # a sheet of white paper: ITU-R BT.2408
PEAK_NITS = 1000  # shown as full white

# SMPTE ST 2084, equation 4.1
M1, M2 = 2610 / 16384, 2523 / 4096 * 128
C1, C2, C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32

BT2020_TO_BT709 = np.array(  # ITU-R BT.2087
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    dtype=np.float32,
)


def tone_map(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an sRGB picture for a PQ one of 16 bits, both (height, width, 3).

    The curve is Reinhard's with a white point, on the brightest channel, so that hues stay.
    """
    light = _linear(picture.astype(np.float32) / np.float32(65535)) * (10000 / WHITE_NITS)
    light = np.maximum(light @ BT2020_TO_BT709.T, 0)
    brightest = light.max(axis=2, keepdims=True)
    light *= (1 + brightest / (PEAK_NITS / WHITE_NITS) ** 2) / (1 + brightest)
    return (_srgb(np.minimum(light, 1)) * 255 + 0.5).astype(np.uint8)


def _linear(code: NDArray[Any]) -> NDArray[Any]:
    root = np.power(code, np.float32(1 / M2))
    light: NDArray[Any] = np.power(np.maximum(root - C1, 0) / (C2 - C3 * root), np.float32(1 / M1))
    return light


def _srgb(light: NDArray[Any]) -> NDArray[Any]:
    return np.where(
        light < 0.0031308, light * 12.92, 1.055 * np.power(light, np.float32(1 / 2.4)) - 0.055
    )
