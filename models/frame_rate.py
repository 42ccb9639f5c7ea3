"""How many pictures a second a video has, as editing programs count them."""

from dataclasses import dataclass
from fractions import Fraction

from models.facts import VideoFacts, seconds
from models.tables import Video

_NTSC = Fraction(1000, 1001)
EDITORS = (
    24 * _NTSC,
    Fraction(24),
    Fraction(25),
    30 * _NTSC,
    Fraction(30),
    Fraction(48),
    Fraction(50),
    60 * _NTSC,
    Fraction(60),
)
"""Rates that every editing program has."""
_CONSTANT = (
    *EDITORS,
    48 * _NTSC,
    120 * _NTSC,
    240 * _NTSC,
    Fraction(25, 2),
    *map(Fraction, range(1, 241)),
)
_SLACK = Fraction(1, 100_000)
_MOST_SLACK = Fraction(1, 200)


@dataclass(frozen=True, slots=True)
class FrameRate:
    per_second: Fraction
    varies: bool  # then per_second is only the nearest that an editing program has


def frame_rate(video: Video | VideoFacts) -> FrameRate:
    """Return the rate at which all pictures of the video are counted, from the first displayable one.

    It is measured from their number and the times of the first and the last, which are whole ticks: so
    a rate that lies within two ticks is taken for meant. Any other is a rate that varies.
    """
    span = seconds(video, video.last_pts)
    if video.frame_count < 2 or span <= 0:
        return FrameRate(Fraction(25), varies=True)
    measured = (video.frame_count - 1) / span
    slack = min(_SLACK + 2 * Fraction(video.time_base) / span, _MOST_SLACK)
    nearest = min(_CONSTANT, key=lambda rate: abs(rate - measured))
    if abs(nearest - measured) <= nearest * slack:
        return FrameRate(nearest, varies=False)
    return FrameRate(min(EDITORS, key=lambda rate: abs(rate - measured)), varies=True)
