"""The JSON that the API speaks. Times of day are milliseconds since 1970, UTC; `start_ms`, `end_ms`
and `frame_times_ms` count from the video's first displayable picture."""

from typing import Any, TypedDict


class VideoShape(TypedDict):
    id: str
    sha256: str
    size_bytes: int
    duration_ms: int
    width: int  # pixels as displayed
    height: int
    codec: str
    container: str
    has_audio: bool
    mime_type: str  # empty: no browser plays it
    warnings: list[str]
    url: str


class FailureShape(TypedDict):
    kind: str
    message: str
    window: int | None
    start_ms: int | None


class LinksShape(TypedDict):
    self: str
    page: str
    segments: str
    events: str
    exports: dict[str, str]  # by format


class JobShape(TypedDict):
    id: str
    filename: str
    state: str
    priority: int
    commentator: str
    commentator_label: str
    parameters: dict[str, Any]
    video: VideoShape
    windows_done: int
    windows_total: int
    realtime: float | None  # seconds of video commented per second of work
    eta_ms: int | None
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    failure: FailureShape | None
    still: str | None  # a picture of the first window, once there is one
    links: LinksShape


class JobListShape(TypedDict):
    jobs: list[JobShape]
    next: str | None  # pass it as `before` to go on
    counts: dict[str, int]


class TimingsShape(TypedDict):
    waiting_ms: float
    decode_ms: float
    vision_ms: float
    prefill_ms: float
    generate_ms: float
    total_ms: float


class SegmentShape(TypedDict):
    index: int
    start_ms: int
    end_ms: int
    kind: str
    text: str
    reason: str | None
    facts: dict[str, Any] | None
    frame_times_ms: list[int]
    timings: TimingsShape
    tokens_in: int | None
    tokens_out: int | None
    created_ms: int
    still: str


class SegmentListShape(TypedDict):
    segments: list[SegmentShape]
    next: int  # pass it as `since` to go on
    state: str
