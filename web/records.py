"""From the store's rows to the records of web/shapes.py."""

from models.parameters import COMMENTATORS, Parameters
from models.tables import Job, Segment, Video
from models.videos import duration_ms, time_ms
from models.windows import milliseconds
from web.shapes import FailureRecord, JobRecord, SegmentRecord, TimingsRecord, VideoRecord


def video_record(video: Video) -> VideoRecord:
    return VideoRecord(
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
    )


def job_record(job: Job) -> JobRecord:
    return JobRecord(
        id=job.id,
        filename=job.filename,
        state=job.state.value,
        commentator=job.commentator,
        commentator_label=COMMENTATORS.get(job.commentator, ""),
        parameters=job.parameters,
        windows_total=job.window_count,
        created_ms=job.created_ms,
        started_ms=job.started_ms,
        finished_ms=job.finished_ms,
        failure=_failure_record(job),
    )


def _failure_record(job: Job) -> FailureRecord | None:
    if job.failure_kind is None:
        return None
    window, start_ms = job.failure_window, None
    if window is not None:
        start, _ = Parameters.from_json(job.parameters).plan(job.video).span(window)
        start_ms = milliseconds(start)
    return FailureRecord(
        kind=job.failure_kind, message=job.failure_text or "", window=window, start_ms=start_ms
    )


def segment_record(row: Segment, video: Video) -> SegmentRecord:
    return SegmentRecord(
        index=row.index,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        kind=row.kind.value,
        text=row.text,
        reason=row.reason,
        facts=row.facts,
        frame_times_ms=[time_ms(video, pts) for pts in row.frame_pts],
        timings=_timings_record(row),
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        created_ms=row.created_ms,
    )


def _timings_record(row: Segment) -> TimingsRecord:
    """Keep microseconds: what is finer is noise."""
    return TimingsRecord(
        waiting_ms=round(row.waiting_ms, 3),
        decode_ms=round(row.decode_ms, 3),
        vision_ms=round(row.vision_ms, 3),
        prefill_ms=round(row.prefill_ms, 3),
        generate_ms=round(row.generate_ms, 3),
        total_ms=round(row.total_ms, 3),
    )
