"""The runs of a video, and two of them beside each other."""

from typing import Any, NotRequired, TypedDict


class RunShape(TypedDict):
    """A job among the other jobs of its video."""

    id: str
    filename: str
    state: str
    commentator: str
    parameters: dict[str, Any]
    created_ms: int
    windows_done: int
    windows_total: int
    windows_taken: int
    source_id: str | None
    page: str


class RunListShape(TypedDict):
    runs: list[RunShape]  # the newest first; the job itself is among them
    next: str | None  # pass it as `before` to go on


class RunWish(TypedDict):
    parameters: NotRequired[dict[str, str | int | float]]
    windows: NotRequired[str]  # as in "0-3,7"; without them the whole video
    priority: NotRequired[int]


class StretchShape(TypedDict):
    text: str
    shared: bool  # the other run says it too


class SideShape(TypedDict):
    segments: list["BriefSegmentShape"]
    words: list[StretchShape]  # of all its segments, joined


class BriefSegmentShape(TypedDict):
    index: int
    start_ms: int
    end_ms: int
    kind: str
    text: str
    corrected: bool
    taken_from: str | None


class RowShape(TypedDict):
    """What two runs say of the same stretch of a video."""

    start_ms: int
    end_ms: int
    left: SideShape
    right: SideShape
    differs: bool


class ComparisonShape(TypedDict):
    left: RunShape
    right: RunShape
    rows: list[RowShape]
    total: int
    different: int  # of them
    next: int | None  # pass it as `since` to go on
