"""What was said of a job's windows."""

from typing import Any, NotRequired, TypedDict


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
    text: str  # empty unless said; a person's correction goes before what the commentator said
    reason: str | None  # why nothing could be said
    original_kind: str  # of what the commentator said
    original_text: str
    revision: int  # grows with every change by a person; 0: none
    corrected_by: str | None  # as they call themselves; None: nobody, or somebody without a name
    corrected_ms: int | None  # None: not corrected
    taken_from: str | None  # the job that said it, if this one took it over
    facts: dict[str, Any] | None  # what the commentator says it saw
    frame_times_ms: list[int]  # when the frames it was shown appear
    timings: TimingsRecord
    tokens_in: int | None
    tokens_out: int | None
    created_ms: int


class SegmentShape(SegmentRecord):
    still: str | None  # null: the video was removed


class WritingShape(TypedDict):
    """A window whose comment is being written just now; its segment will replace it."""

    index: int
    start_ms: int
    end_ms: int
    text: str  # so far


class SegmentListShape(TypedDict):
    segments: list[SegmentShape]
    writing: list[WritingShape]
    next: int  # pass it as `since` to go on
    state: str


class CorrectionWish(TypedDict):
    text: str | None  # null: as it was said
    revision: int  # of the segment as it was seen
    by: NotRequired[str]
