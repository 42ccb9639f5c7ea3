"""The JSON that we write. Records are what the API and the exports both tell; the API's shapes add
addresses and progress to them.

Times of day are milliseconds since 1970, UTC; `start_ms`, `end_ms` and `frame_times_ms` count from
the video's first displayable picture.
"""

from typing import Any, TypedDict


class VideoRecord(TypedDict):
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


class VideoShape(VideoRecord):
    url: str


class FailureRecord(TypedDict):
    kind: str
    message: str
    window: int | None
    start_ms: int | None


class JobRecord(TypedDict):
    id: str
    filename: str  # as the person named it
    state: str
    commentator: str
    commentator_label: str  # what a person must know before believing it
    parameters: dict[str, Any]  # the job's snapshot
    windows_total: int  # segments there will be when the job is done
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    failure: FailureRecord | None


class LinksShape(TypedDict):
    self: str
    page: str
    segments: str
    events: str
    exports: dict[str, str]  # by format


class JobShape(JobRecord):
    priority: int
    video: VideoShape
    windows_done: int
    realtime: float | None  # seconds of video commented per second of work
    eta_ms: int | None
    still: str | None  # a picture of the first window, once there is one
    links: LinksShape


class JobListShape(TypedDict):
    jobs: list[JobShape]
    next: str | None  # pass it as `before` to go on
    counts: dict[str, int]


class TimingsRecord(TypedDict):
    """Milliseconds of work on one window, as measured, to the microsecond."""

    waiting_ms: float
    decode_ms: float
    vision_ms: float
    prefill_ms: float
    generate_ms: float
    total_ms: float


class SegmentRecord(TypedDict):
    """What was said of the span [start_ms, end_ms)."""

    index: int
    start_ms: int
    end_ms: int
    kind: str  # "said", "unchanged" or "empty"
    text: str  # empty unless said
    reason: str | None  # why nothing could be said
    facts: dict[str, Any] | None  # what the commentator says it saw
    frame_times_ms: list[int]  # when the frames it was shown appear
    timings: TimingsRecord
    tokens_in: int | None
    tokens_out: int | None
    created_ms: int


class SegmentShape(SegmentRecord):
    still: str


class SegmentListShape(TypedDict):
    segments: list[SegmentShape]
    next: int  # pass it as `since` to go on
    state: str
