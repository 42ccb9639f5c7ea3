"""From the store's rows to the document that the writers take."""

from collections.abc import Iterable

from models import tables
from models.parameters import COMMENTATORS
from models.videos import duration_ms, time_ms
from web.exports.document import Document, Failure, Job, Segment, Timings, Video


def document_from_rows(
    job: tables.Job, segments: Iterable[tables.Segment], *, version: str, exported_ms: int
) -> Document:
    """Tell of a job and the segments it has so far; these must come in order of their index."""
    return Document(
        video=_video(job),
        job=_job(job),
        segments=(_segment(row, job.video) for row in segments),
        version=version,
        exported_ms=exported_ms,
    )


def _video(job: tables.Job) -> Video:
    video = job.video
    return Video(
        filename=job.filename,
        sha256=video.sha256,
        duration_ms=duration_ms(video),
        width=video.width,
        height=video.height,
        codec=video.codec,
        warnings=tuple(video.warnings),
    )


def _job(job: tables.Job) -> Job:
    return Job(
        id=job.id,
        commentator=job.commentator,
        label=COMMENTATORS.get(job.commentator, ""),
        parameters=job.parameters,
        window_count=job.window_count,
        state=job.state.value,
        failure=_failure(job),
        created_ms=job.created_ms,
        started_ms=job.started_ms,
        finished_ms=job.finished_ms,
    )


def _failure(job: tables.Job) -> Failure | None:
    if job.failure_kind is None:
        return None
    return Failure(job.failure_kind, job.failure_text or "", job.failure_window)


def _segment(row: tables.Segment, video: tables.Video) -> Segment:
    return Segment(
        index=row.index,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        kind=row.kind.value,
        text=row.text,
        reason=row.reason,
        facts=row.facts,
        frames_ms=tuple(time_ms(video, pts) for pts in row.frame_pts),
        timings=Timings(
            waiting_ms=row.waiting_ms,
            decode_ms=row.decode_ms,
            vision_ms=row.vision_ms,
            prefill_ms=row.prefill_ms,
            generate_ms=row.generate_ms,
            total_ms=row.total_ms,
        ),
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
    )
