"""JSON: everything that is known of a job, texts exactly as they are stored.

The file is written segment by segment, one to a line. A number that JSON can't hold (NaN or an
infinity among a commentator's facts) becomes null.
"""

import json
from typing import Any, TextIO, TypedDict

from web.exports.clock import time_of_day
from web.exports.document import Document, Job, Segment, Timings, Video
from web.exports.plain_text import encodable

FORMAT = "reelnotes/1"


class ProvenanceJson(TypedDict):
    program: str
    version: str
    exported_at: str  # ISO 8601, UTC


class VideoJson(TypedDict):
    filename: str
    sha256: str
    duration_ms: int
    width: int
    height: int
    codec: str
    warnings: list[str]


class FailureJson(TypedDict):
    kind: str
    text: str
    window: int | None


class JobJson(TypedDict):
    id: str
    commentator: str
    label: str
    parameters: dict[str, Any]
    window_count: int
    state: str
    failure: FailureJson | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class TimingsJson(TypedDict):
    waiting: float
    decode: float
    vision: float
    prefill: float
    generate: float
    total: float


class SegmentJson(TypedDict):
    index: int
    start_ms: int
    end_ms: int
    kind: str
    text: str
    reason: str | None
    facts: dict[str, Any] | None
    frames_ms: list[int]
    timings_ms: TimingsJson
    tokens_in: int | None
    tokens_out: int | None


def write_json(document: Document, out: TextIO) -> None:
    """Write one object: format, provenance, video, job, and the list of segments."""
    made = ProvenanceJson(
        program="Reelnotes",
        version=document.version,
        exported_at=time_of_day(document.exported_ms),
    )
    out.write(f'{{\n"format": {_json(FORMAT)},\n"provenance": {_json(made)},\n')
    out.write(f'"video": {_json(_video(document.video))},\n"job": {_json(_job(document.job))},\n')
    out.write('"segments": [')
    separator = "\n"
    for segment in document.segments:
        out.write(separator + _json(_segment(segment)))
        separator = ",\n"
    out.write("\n]\n}\n")


def _json(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
        text = json.dumps(finite, ensure_ascii=False)
    return encodable(text)


def _video(video: Video) -> VideoJson:
    return VideoJson(
        filename=video.filename,
        sha256=video.sha256,
        duration_ms=video.duration_ms,
        width=video.width,
        height=video.height,
        codec=video.codec,
        warnings=list(video.warnings),
    )


def _job(job: Job) -> JobJson:
    return JobJson(
        id=job.id,
        commentator=job.commentator,
        label=job.label,
        parameters=dict(job.parameters),
        window_count=job.window_count,
        state=job.state,
        failure=_failure(job),
        created_at=time_of_day(job.created_ms),
        started_at=_maybe_time_of_day(job.started_ms),
        finished_at=_maybe_time_of_day(job.finished_ms),
    )


def _failure(job: Job) -> FailureJson | None:
    failure = job.failure
    if failure is None:
        return None
    return FailureJson(kind=failure.kind, text=failure.text, window=failure.window)


def _maybe_time_of_day(time_ms: int | None) -> str | None:
    return None if time_ms is None else time_of_day(time_ms)


def _segment(segment: Segment) -> SegmentJson:
    return SegmentJson(
        index=segment.index,
        start_ms=segment.start_ms,
        end_ms=segment.end_ms,
        kind=segment.kind,
        text=segment.text,
        reason=segment.reason,
        facts=None if segment.facts is None else dict(segment.facts),
        frames_ms=list(segment.frames_ms),
        timings_ms=_timings(segment.timings),
        tokens_in=segment.tokens_in,
        tokens_out=segment.tokens_out,
    )


def _timings(timings: Timings) -> TimingsJson:
    """Keep microseconds: what is finer is noise."""
    return TimingsJson(
        waiting=round(timings.waiting_ms, 3),
        decode=round(timings.decode_ms, 3),
        vision=round(timings.vision_ms, 3),
        prefill=round(timings.prefill_ms, 3),
        generate=round(timings.generate_ms, 3),
        total=round(timings.total_ms, 3),
    )
