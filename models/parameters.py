"""What a job is asked to do: the snapshot that is stored with it, and how a request becomes one."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Self

from models.errors import InvalidRequest
from models.tables import Video
from models.videos import VideoFacts, seconds
from models.windows import WindowPlan
from settings import Settings, read_number

MAX_WINDOWS = 200_000

COMMENTATORS = {"builtin": "object tags, not a vision-language model"}
"""What a person must know of each commentator before believing it, by name."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Every choice that shapes a job's commentary. Meanings and units stand in settings.py."""

    commentator: str
    capture_fps: Fraction
    frames_per_inference: int
    frame_stride: int
    window_hop: int  # never 0 here: the default is worked out
    change_threshold: float
    max_new_tokens: int

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"capture_fps": str(self.capture_fps)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{**values, "capture_fps": Fraction(values["capture_fps"])})

    def plan(self, video: Video | VideoFacts) -> WindowPlan:
        """Lay the windows over a video; raise InvalidRequest if there would be too many."""
        plan = WindowPlan(
            fps=self.capture_fps,
            frames=self.frames_per_inference,
            stride=self.frame_stride,
            hop=self.window_hop,
            last_frame=seconds(video, video.last_pts),
            end=seconds(video, video.end_pts),
        )
        if len(plan) > MAX_WINDOWS:
            raise InvalidRequest(
                f"These settings would cut the video into {len(plan)} windows; the most is {MAX_WINDOWS}. "
                "Choose fewer samples per second or a longer hop."
            )
        return plan


@dataclass(frozen=True, slots=True)
class Range:
    """The values a number may take, both ends included."""

    low: float
    high: float
    what: str  # how a person calls it


RANGES = {
    "capture_fps": Range(0.001, 240, "Samples per second"),
    "frames_per_inference": Range(1, 64, "Frames per window"),
    "frame_stride": Range(1, 1000, "Frame stride"),
    "window_hop": Range(0, 100_000, "Window hop"),
    "change_threshold": Range(0, 255, "Change threshold"),
    "max_new_tokens": Range(8, 2048, "Longest comment"),
}


def parse_parameters(request: Mapping[str, str], defaults: Settings) -> Parameters:
    """Read a form or query: names as in Parameters, empty or missing means the default.

    Raises InvalidRequest that names the field and the values it takes.
    """
    values: dict[str, Any] = {
        name: _number(name, request.get(name, "").strip(), getattr(defaults, name))
        for name in RANGES
    }
    values["window_hop"] = (
        values["window_hop"] or values["frames_per_inference"] * values["frame_stride"]
    )
    commentator = request.get("commentator", "").strip() or defaults.commentator
    if commentator not in COMMENTATORS:
        raise InvalidRequest(
            f"There is no commentator called {commentator[:40]!r}; choose {' or '.join(COMMENTATORS)}."
        )
    return Parameters(commentator=commentator, **values)


def _number(name: str, text: str, default: Any) -> Any:
    limits = RANGES[name]
    try:
        value = read_number(text, type(default)) if text else default
    except (ValueError, ZeroDivisionError):
        value = None
    if value is None or not limits.low <= value <= limits.high:
        raise InvalidRequest(
            f"{limits.what} must be {'a whole number' if isinstance(default, int) else 'a number'} "
            f"from {limits.low:g} to {limits.high:g}, not {text[:40] or str(value)!r}."
        )
    return value
