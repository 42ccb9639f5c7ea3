"""Files for browsers and programs: videos in ranges, stills.

They go through this server wherever they are stored. An address at the storage itself, signed for a while,
would need no sign-in, outlive a sign-out, and open the pages' Content-Security-Policy to another host.
"""

from flask import Blueprint, Response

from models import jobs
from models.errors import NotFound
from models.parameters import MAX_WINDOWS
from models.tables import Video
from models.videos import get_video, why_removed
from web import thumbnails
from web.sending import send_stored
from web.site import site

bp = Blueprint("files", __name__)

RANGE_BYTES = 2**20
"""Longest answer to a range request: a paused player doesn't hold a thread for a whole film."""

_YEAR_S = 365 * 24 * 3600
_GONE = "This file is not in the media folder; it may have been deleted."


@bp.get("/media/videos/<id:video_id>")
def video(video_id: str) -> Response:
    """Send an uploaded file, as nothing but a video."""
    here = site()
    with here.store.read() as session:
        row = get_video(session, video_id)
    _refuse_removed(row)
    playable = row.mime_type.startswith("video/")
    return _send(
        here.media.video(video_id),
        mimetype=row.mime_type if playable else "application/octet-stream",
        download_name=None if playable else video_id,
        in_pieces=True,
    )


@bp.get("/media/playback/<id:video_id>.mp4")
def playback(video_id: str) -> Response:
    """Send the copy of a video that every browser plays."""
    with site().store.read() as session:
        _refuse_removed(get_video(session, video_id))
    storage, name = site().media.storage, site().media.playback(video_id)
    try:
        storage.note_use(name)
    except FileNotFoundError as error:
        raise NotFound("There is no copy for playing; it may have given way to others.") from error
    return _send(name, mimetype="video/mp4", in_pieces=True)


@bp.get("/media/sheets/<id:job_id>/<int:number>.jpg")
def sheet(job_id: str, number: int) -> Response:
    """Send thumbnails of many windows in one picture: of those that there are by now."""
    here = site()
    with here.store.read() as session:
        job = jobs.get_job(session, job_id)
    return _send(thumbnails.sheet(here.media, job, number), mimetype="image/jpeg")


@bp.get("/media/stills/<id:job_id>/<int:window>.jpg")
def still(job_id: str, window: int) -> Response:
    """Send a window's picture as JPEG."""
    if window >= MAX_WINDOWS:  # no name of a file is as long as a number may be
        raise NotFound(_GONE)
    return _send(site().media.still(job_id, window), mimetype="image/jpeg")


def _refuse_removed(video: Video) -> None:
    if reason := why_removed(video):
        raise NotFound(reason)


def _send(
    name: str, mimetype: str, download_name: str | None = None, in_pieces: bool = False
) -> Response:
    has_password = bool(site().settings.password)
    try:
        answer = send_stored(
            site().media.storage.open(name),
            mimetype,
            download_name=download_name,
            longest_range=RANGE_BYTES if in_pieces else None,
        )
    except FileNotFoundError as error:
        raise NotFound(_GONE) from error
    answer.cache_control.max_age = 0 if has_password else _YEAR_S
    answer.cache_control.private = True
    answer.cache_control.no_cache = has_password or None  # nothing after sign-out
    return answer
