"""Videos with sound of which it is known what is to be heard when."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

Tone = tuple[float, float, int]
"""From, to (seconds), and hertz."""


def write_tones(path: Path, seconds: int, tones: Sequence[Tone], rate: int = 24_000) -> Path:
    """Write a grey video with tones in its sound, silence between them."""
    times = np.arange(seconds * rate) / rate
    sound = np.zeros(len(times))
    for start, end, hertz in tones:
        inside = (times >= start) & (times < end)
        sound[inside] = 0.5 * np.sin(2 * np.pi * hertz * times[inside])
    stereo = np.repeat(sound[None, :], 2, axis=0).astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=2)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = container.add_stream("aac", rate=rate, layout="stereo")
        for number in range(seconds * 2):
            picture = np.full((64, 64, 3), number % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 2)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for at in range(0, stereo.shape[1], 1024):
            block = np.ascontiguousarray(stereo[:, at : at + 1024])
            piece = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            piece.sample_rate, piece.pts, piece.time_base = rate, at, Fraction(1, rate)
            container.mux(audio.encode(piece))
        container.mux(audio.encode())
    return path
