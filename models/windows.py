"""Which times of a video belong to which window. Pure arithmetic on fractions of a second.

Knows nothing of files, frames or rows. The web counts windows with it and the worker samples with
it, so both agree to the last window.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """How a strided window slides over a video.

    Time 0 is the first displayable picture. `fps` counts samples per second of video; `stride`
    and `hop` count samples.
    """

    fps: Fraction
    frames: int  # frames given to one prompt
    stride: int  # every stride-th sample goes into the window
    hop: int  # samples between window starts
    last_frame: Fraction  # seconds: when the last frame appears
    end: Fraction  # seconds: when the last frame disappears

    def __post_init__(self) -> None:
        if self.fps <= 0 or self.frames < 1 or self.stride < 1 or self.hop < 1:
            raise ValueError(f"a window needs positive numbers: {self}")
        if not 0 <= self.last_frame <= self.end:
            raise ValueError(f"the last frame must lie within the video: {self}")

    def __len__(self) -> int:
        """Count the windows: one for each start at which a frame is still to come."""
        return int(self.last_frame * self.fps / self.hop) + 1

    def span(self, window: int) -> tuple[Fraction, Fraction]:
        """Return the seconds [start, end) that the window's segment covers.

        Spans tile [0, end): no gap, no overlap, and the last one ends with the video.
        """
        self._check(window)
        start = window * self.hop / self.fps
        return start, self.end if window == len(self) - 1 else start + self.hop / self.fps

    def sample_times(self, window: int) -> tuple[Fraction, ...]:
        """Return the seconds at which the window samples; those after the last frame are left out."""
        self._check(window)
        start = window * self.hop
        times = ((start + i * self.stride) / self.fps for i in range(self.frames))
        return tuple(time for time in times if time <= self.last_frame)

    def _check(self, window: int) -> None:
        if not 0 <= window < len(self):
            raise IndexError(f"window {window} of {len(self)}")


def milliseconds(seconds: Fraction) -> int:
    """Round to whole milliseconds, halves up: the only place where a time is rounded."""
    return int((seconds * 2000 + 1) // 2)
