"""From the store's rows to the JSON of web/shapes.py."""

from collections.abc import Sequence

from flask import url_for
from sqlalchemy.orm import Session

from models.media import Media
from models.parameters import COMMENTATORS, Parameters
from models.progress import Progress, progress_of
from models.tables import Job, Segment, Video
from models.videos import duration_ms, time_ms
from models.windows import milliseconds
from web.exports import WRITERS
from web.shapes import (
    FailureShape,
    JobShape,
    LinksShape,
    SegmentShape,
    TimingsShape,
    VideoShape,
)


def job_shape(session: Session, media: Media, job: Job) -> JobShape:
    progress = _progress(session, job)
    return JobShape(
        id=job.id,
        filename=job.filename,
        state=job.state.value,
        priority=job.priority,
        commentator=job.commentator,
        commentator_label=COMMENTATORS.get(job.commentator, ""),
        parameters=job.parameters,
        video=_video_shape(job),
        windows_done=progress.windows_done,
        windows_total=progress.windows_total,
        realtime=progress.realtime,
        eta_ms=progress.eta_ms,
        created_ms=job.created_ms,
        started_ms=job.started_ms,
        finished_ms=job.finished_ms,
        failure=_failure_shape(job),
        still=_still_url(job.id, 0) if media.still(job.id, 0).exists() else None,
        links=_links(job),
    )


_MOST_REMEMBERED = 1000
_remembered: dict[tuple[str, int], Progress] = {}  # by job and the moment it ended


def _progress(session: Session, job: Job) -> Progress:
    """Measure a job; one that has ended only once, for its numbers change no more."""
    if job.finished_ms is None:
        return progress_of(session, job)
    end = (job.id, job.finished_ms)
    if end not in _remembered:
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        _remembered[end] = progress_of(session, job)
    return _remembered[end]


def _video_shape(job: Job) -> VideoShape:
    video = job.video
    return VideoShape(
        id=video.id,
        sha256=video.sha256,
        size_bytes=video.size_bytes,
        duration_ms=duration_ms(video),
        width=video.width,
        height=video.height,
        codec=video.codec,
        container=video.container,
        has_audio=video.has_audio,
        mime_type=video.mime_type,
        warnings=video.warnings,
        url=url_for("files.video", video_id=video.id),
    )


def _failure_shape(job: Job) -> FailureShape | None:
    if job.failure_kind is None:
        return None
    window, start_ms = job.failure_window, None
    if window is not None:
        start, _ = Parameters.from_json(job.parameters).plan(job.video).span(window)
        start_ms = milliseconds(start)
    return FailureShape(
        kind=job.failure_kind, message=job.failure_text or "", window=window, start_ms=start_ms
    )


def _links(job: Job) -> LinksShape:
    return LinksShape(
        self=url_for("api.show", job_id=job.id),
        page=url_for("pages.show", job_id=job.id),
        segments=url_for("api.segments", job_id=job.id),
        events=url_for("events.stream", job_id=job.id),
        exports={
            name: url_for("files.export", job_id=job.id, export_format=name) for name in WRITERS
        },
    )


def segment_shapes(job: Job, rows: Sequence[Segment]) -> list[SegmentShape]:
    return [_segment_shape(row, job.video) for row in rows]


def _segment_shape(row: Segment, video: Video) -> SegmentShape:
    return SegmentShape(
        index=row.index,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        kind=row.kind.value,
        text=row.text,
        reason=row.reason,
        facts=row.facts,
        frame_times_ms=[time_ms(video, pts) for pts in row.frame_pts],
        timings=TimingsShape(
            waiting_ms=row.waiting_ms,
            decode_ms=row.decode_ms,
            vision_ms=row.vision_ms,
            prefill_ms=row.prefill_ms,
            generate_ms=row.generate_ms,
            total_ms=row.total_ms,
        ),
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        created_ms=row.created_ms,
        still=_still_url(row.job_id, row.index),
    )


def _still_url(job_id: str, window: int) -> str:
    return url_for("files.still", job_id=job_id, window=window)
