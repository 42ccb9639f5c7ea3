"""Frames and timecodes, as editing programs count.

A second of 29.97 frames is counted to 30. Drop-frame timecode (SMPTE ST 12-1) leaves out the first
two numbers of each minute but every tenth, four at 59.94, so that it keeps step with the clock; it
exists for these two rates only. At 23.976 a timecode falls behind the clock by 3.6 s an hour.
"""

from dataclasses import dataclass
from fractions import Fraction

_DROPPED = {Fraction(30_000, 1001): 2, Fraction(60_000, 1001): 4}  # numbers a minute


@dataclass(frozen=True, slots=True)
class FrameClock:
    rate: Fraction  # frames a second

    @property
    def drops(self) -> bool:
        return self.rate in _DROPPED

    def frame(self, time_ms: int) -> int:
        """Return the number of the frame that appears at a time, from 0."""
        return round(time_ms * self.rate / 1000)

    def timecode(self, frame: int) -> str:
        """Return HH:MM:SS:FF, or HH:MM:SS;FF where numbers are dropped."""
        per_second = -(-self.rate.numerator // self.rate.denominator)
        number = frame + self._dropped_before(frame, per_second)
        seconds, frames = divmod(number, per_second)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        point = ";" if self.drops else ":"
        width = max(2, len(str(per_second - 1)))
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{frames:0{width}d}"

    def _dropped_before(self, frame: int, per_second: int) -> int:
        dropped = _DROPPED.get(self.rate, 0)
        minute = 60 * per_second - dropped
        tens, rest = divmod(frame, 10 * minute + dropped)
        minutes = max(rest - dropped, 0) // minute  # the first of ten drops nothing
        return dropped * (9 * tens + minutes)
