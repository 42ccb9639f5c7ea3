"""What an export tells: plain values, so that a writer knows neither the store nor the web.

Times of the video are whole milliseconds since its first displayable picture; times of day are
whole milliseconds since 1970, UTC. Every text may be hostile: the writers make it harmless.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Video:
    filename: str  # as the person named it
    sha256: str
    duration_ms: int
    width: int  # pixels as displayed
    height: int
    codec: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    kind: str
    text: str
    window: int | None  # where it happened, if it happened in a window


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    commentator: str
    label: str  # what a person must know before believing it; "" if nothing
    parameters: Mapping[str, Any]  # the job's snapshot
    window_count: int  # segments there will be when the job is done
    state: str
    failure: Failure | None
    created_ms: int
    started_ms: int | None
    finished_ms: int | None


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of work on one window, as measured."""

    waiting_ms: float
    decode_ms: float
    vision_ms: float
    prefill_ms: float
    generate_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class Segment:
    """What was said of the span [start_ms, end_ms)."""

    index: int
    start_ms: int
    end_ms: int
    kind: str  # "said", "unchanged" or "empty"
    text: str  # empty unless said
    reason: str | None  # why nothing could be said
    facts: Mapping[str, Any] | None  # what the commentator says it saw
    frames_ms: tuple[int, ...]  # when the frames it was shown appear
    timings: Timings
    tokens_in: int | None
    tokens_out: int | None


@dataclass(frozen=True, slots=True)
class Document:
    """One export. `segments` come in order and are read once, so they may stream from the store."""

    video: Video
    job: Job
    segments: Iterable[Segment]
    version: str  # of Reelnotes
    exported_ms: int
