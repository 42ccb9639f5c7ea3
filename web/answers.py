"""From the store's rows to the API's answers: records, addresses and progress."""

from collections.abc import Sequence

from flask import url_for
from sqlalchemy.orm import Session

from models.media import Media
from models.progress import progress_of
from models.tables import Job, Segment
from web.exports import WRITERS
from web.records import job_record, segment_record, video_record
from web.shapes import JobShape, LinksShape, SegmentShape, VideoShape


def job_shape(session: Session, media: Media, job: Job) -> JobShape:
    progress = progress_of(session, job)
    return {
        **job_record(job),
        "priority": job.priority,
        "video": _video_shape(job),
        "windows_done": progress.windows_done,
        "realtime": progress.realtime,
        "eta_ms": progress.eta_ms,
        "still": _still_url(job.id, 0) if media.still(job.id, 0).exists() else None,
        "links": _links(job),
    }


def _video_shape(job: Job) -> VideoShape:
    url = url_for("files.video", video_id=job.video_id)
    return {**video_record(job.video), "url": url}


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
    return [
        {**segment_record(row, job.video), "still": _still_url(job.id, row.index)} for row in rows
    ]


def _still_url(job_id: str, window: int) -> str:
    return url_for("files.still", job_id=job_id, window=window)
