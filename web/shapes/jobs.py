"""Jobs, alone, in lists and in batches."""

from typing import Any, Literal, NotRequired, TypedDict

from web.shapes.refusals import ErrorShape, RefusalShape
from web.shapes.videos import VideoShape


class FailureRecord(TypedDict):
    kind: str
    message: str
    window: int | None
    start_ms: int | None


class NetworkRecord(TypedDict):
    name: str
    checkpoint: str  # a hub name, or a folder's
    fingerprint: str  # of its configuration and weights


class SourceRecord(TypedDict):
    """Who said what a run took over; the job may be gone."""

    job_id: str
    commentator: str
    commentator_label: str
    networks: list[NetworkRecord]
    windows: int


class JobRecord(TypedDict):
    id: str
    filename: str  # as the person named it
    state: str
    commentator: str
    commentator_label: str  # what a person must know before believing it
    parameters: dict[str, Any]  # the job's snapshot
    networks: list[NetworkRecord]  # that commented it, in order; empty before, and for builtin
    windows_total: int  # segments there will be when the job is done
    source_id: str | None  # the job that it runs again
    windows_taken: int  # over from that job, with their segments
    sources: list[SourceRecord]  # who said those
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    failure: FailureRecord | None


class LinksShape(TypedDict):
    self: str
    page: str
    segments: str
    summary: str
    transcript: str
    events: str
    exports: dict[str, str]  # by format: those of which there is something
    renders: dict[str, str]  # by format: those that take time to make


class ThumbnailsShape(TypedDict):
    """Pictures of windows on sheets, row by row: window n is on sheet n // (columns * rows)."""

    url: str  # of a sheet; put its number in place of {sheet}
    columns: int
    rows: int
    width: int  # pixels of one thumbnail
    height: int


class AdditionShape(TypedDict):
    """A summary or a transcript: how far it is."""

    kind: str  # "summary" or "transcript"
    state: str  # "waiting", "making", "ready" or "failed"
    steps_done: int
    steps_total: int  # as far as is known: a summary is laid out once all windows are commented
    failure: RefusalShape | None


class JobShape(JobRecord):
    priority: int
    additions: list[AdditionShape]  # that were asked for
    hindrance: str | None  # why nobody will take it up, as a sentence
    video: VideoShape
    windows_done: int
    realtime: float | None  # seconds of video commented per second of work
    eta_ms: int | None
    still: str | None  # a picture of the first window, once there is one
    thumbnails: ThumbnailsShape
    links: LinksShape


class JobListShape(TypedDict):
    jobs: list[JobShape]
    next: str | None  # pass it as `before` to go on
    counts: dict[str, int]
    failures: dict[str, int]  # failed jobs by the kind of their failure


class IdListShape(TypedDict):
    ids: list[str]
    next: str | None  # pass it as `before` to go on


class PriorityWish(TypedDict):
    priority: int


class BatchWish(TypedDict):
    """With either `ids` or `failure`."""

    action: Literal["pause", "resume", "cancel", "retry", "delete"]
    ids: NotRequired[list[str]]
    failure: NotRequired[str]  # all jobs that failed in that way


class OutcomeShape(TypedDict):
    """What became of one job of a batch."""

    id: str
    state: str | None  # None: deleted, or never there
    error: ErrorShape | None  # why it was left as it was


class BatchShape(TypedDict):
    outcomes: list[OutcomeShape]
    done: int
    refused: int
    left: int  # that fit as well and were not tried: send the batch again
