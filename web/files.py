"""Files for browsers and programs: videos in ranges, stills, exports."""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flask import Blueprint, Response, request, send_file

from models import jobs
from models.clock import now_ms
from models.errors import NotFound
from models.media import refusal
from models.segments import list_segments
from models.store import Store
from models.tables import Job
from models.videos import get_video
from web.exports import WRITERS, Document, download_stem
from web.records import job_record, segment_record, video_record
from web.shapes import SegmentRecord
from web.site import our_version, site

bp = Blueprint("files", __name__)

RANGE_BYTES = 2**20
"""Longest answer to a range request: a paused player doesn't hold a thread for a whole film."""

_ROWS_AT_ONCE = 1000
_YEAR_S = 365 * 24 * 3600


@bp.get("/media/videos/<id:video_id>")
def video(video_id: str) -> Response:
    """Send an uploaded file, as nothing but a video."""
    here = site()
    with here.store.read() as session:
        row = get_video(session, video_id)
    playable = row.mime_type.startswith("video/")
    _shorten_range(row.size_bytes)
    return _send_stored(
        here.media.video(video_id),
        mimetype=row.mime_type if playable else "application/octet-stream",
        as_attachment=not playable,
    )


@bp.get("/media/stills/<id:job_id>/<int:window>.jpg")
def still(job_id: str, window: int) -> Response:
    return _send_stored(site().media.still(job_id, window), mimetype="image/jpeg")


def _send_stored(path: Path, mimetype: str, as_attachment: bool = False) -> Response:
    try:
        answer = send_file(
            path,
            mimetype=mimetype,
            as_attachment=as_attachment,
            download_name=path.name if as_attachment else None,
            conditional=True,
            max_age=_YEAR_S,
        )
    except FileNotFoundError as error:
        raise NotFound("This file is not in the media folder; it may have been deleted.") from error
    answer.cache_control.private = True
    return answer


def _shorten_range(size_bytes: int) -> None:
    """Let a request for one long range ask for its first RANGE_BYTES."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return
    span = asked.range_for_length(size_bytes)
    if span is not None:
        start, stop = span
        last = min(stop, start + RANGE_BYTES) - 1
        request.environ["HTTP_RANGE"] = f"bytes={start}-{last}"


@bp.get("/api/jobs/<id:job_id>/export.<export_format>")
def export(job_id: str, export_format: str) -> Response:
    """Write what was said so far; `inline=1` is for the player's captions."""
    here = site()
    writer = WRITERS.get(export_format)
    if writer is None:
        raise NotFound(
            f"There is no export as {export_format[:20]!r}; choose {', '.join(WRITERS)}."
        )
    with here.store.read() as session:
        job = jobs.get_job(session, job_id)
    document = Document(
        video=video_record(job.video),
        job=job_record(job),
        segments=_all_segments(here.store, job),
        version=our_version(),
        exported_ms=now_ms(),
    )
    file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the response)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        writer.write(document, text)
        text.detach()
        file.seek(0)
    except OSError as error:
        raise refusal(error, "The export can't be written") from error
    answer = send_file(
        file,
        mimetype=writer.mime_type,
        as_attachment=not request.args.get("inline"),
        download_name=download_stem(job.filename) + writer.extension,
    )
    answer.cache_control.no_store = True
    return answer


def _all_segments(store: Store, job: Job) -> Iterator[SegmentRecord]:
    since = 0
    while True:
        with store.read() as session:
            rows = list_segments(session, job.id, since=since, limit=_ROWS_AT_ONCE)
        yield from (segment_record(row, job.video) for row in rows)
        if len(rows) < _ROWS_AT_ONCE:
            return
        since = rows[-1].index + 1
