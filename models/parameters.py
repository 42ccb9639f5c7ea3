"""What a job is asked to do: the snapshot that is stored with it, and how a request becomes one."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

from models.commentators import COMMENTATORS
from models.errors import InvalidRequest
from models.facts import VideoFacts, seconds
from models.prompting import PROMPT_FIELDS, Prompting, parse_prompting, refuse_unheeded
from models.ranges import Range
from models.windows import WindowPlan
from settings import Settings

if TYPE_CHECKING:
    from models.tables import Video

MAX_WINDOWS = 200_000


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
    prompting: Prompting | None  # None: the commentator is not asked in words
    summary: int = 0  # 1: tell the whole video in the end, with chapters
    transcript: int = 0  # 1: write down what is said first; 2: and let the commentator know

    def to_json(self) -> dict[str, Any]:
        """Return one flat object: a prompt's parameters stand beside the windows'."""
        values = {name: getattr(self, name) for name in _OWN_FIELDS}
        asked = self.prompting.to_json() if self.prompting else {}
        return {**values, "capture_fps": str(self.capture_fps), **asked}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read a snapshot, also one that an older version made."""
        own = {name: values[name] for name in _OWN_FIELDS if name not in SWITCHES}
        own |= {name: values.get(name, 0) for name in SWITCHES}
        about = COMMENTATORS.get(own["commentator"])
        asked = Prompting.from_json(values) if about and about.is_prompted else None
        return cls(**{**own, "capture_fps": Fraction(own["capture_fps"])}, prompting=asked)

    def plan(self, video: "Video | VideoFacts") -> WindowPlan:
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


RANGES = {
    "capture_fps": Range(0.001, 240, "Samples per second"),
    "frames_per_inference": Range(1, 64, "Frames per window"),
    "frame_stride": Range(1, 1000, "Frame stride"),
    "window_hop": Range(0, 100_000, "Window hop"),
    "change_threshold": Range(0, 255, "Change threshold"),
    "max_new_tokens": Range(8, 1024, "Longest comment"),  # half of a window's room
}


SWITCHES = {
    "summary": Range(0, 1, "Summary"),
    "transcript": Range(0, 2, "Transcript"),
}
"""What is made beside the commentary; 0: not."""

NO_TRANSCRIBER = (
    "Nobody writes down speech on this server: set TRANSCRIBE_MODEL, and TRANSCRIBE_URL if an endpoint is "
    "to do it."
)

PARAMETER_FIELDS = ("commentator", *RANGES, *SWITCHES, *PROMPT_FIELDS)
"""What a request may set, by the names of the form and the API."""

_OWN_FIELDS = tuple(field.name for field in fields(Parameters) if field.name != "prompting")


def parse_parameters(request: Mapping[str, str], defaults: Settings) -> Parameters:
    """Read a form or query: names as in PARAMETER_FIELDS, empty or missing means the default.

    Raises InvalidRequest that names the field and the values it takes.
    """
    commentator = request.get("commentator", "").strip() or defaults.commentators[0]
    about = COMMENTATORS.get(commentator) if commentator in defaults.commentators else None
    if about is None:
        raise InvalidRequest(_no_commentator(commentator, defaults))
    values: dict[str, Any] = {
        name: limits.read(request.get(name, "").strip(), getattr(defaults, name))
        for name, limits in {**RANGES, **SWITCHES}.items()
    }
    values["window_hop"] = (
        values["window_hop"] or values["frames_per_inference"] * values["frame_stride"]
    )
    if values["transcript"] and not defaults.transcribes:
        raise InvalidRequest(NO_TRANSCRIBER)
    if values["transcript"] == 2 and not about.is_prompted:
        raise InvalidRequest(
            f"The commentator {commentator} is not asked in words, so it can't be told what is said: choose "
            "`transcript` 1, or another commentator."
        )
    refuse_unheeded(request, commentator, about)
    prompting = parse_prompting(request, defaults) if about.is_prompted else None
    return Parameters(commentator=commentator, prompting=prompting, **values)


def _no_commentator(name: str, defaults: Settings) -> str:
    offered = [other for other in defaults.commentators if other in COMMENTATORS]
    choice = f"choose {' or '.join(offered)}" if offered else f"there are {', '.join(COMMENTATORS)}"
    if name in COMMENTATORS:
        return f"Nobody comments as {name} on this server (setting COMMENTATOR); {choice}."
    return f"There is no commentator called {name[:40]!r}; {choice}."
