"""The JSON API for jobs: upload, list, state, segments, and what can be done to a job."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request, url_for
from sqlalchemy.orm import Session

from models import jobs
from models.errors import InvalidRequest
from models.hints import send_hints
from models.segments import first_missing, list_segments
from models.tables import Job, JobState
from models.videos import remove_video_without_jobs
from web.answers import job_shape, segment_shapes
from web.intake import queue_upload
from web.shapes import JobListShape, JobShape, SegmentListShape
from web.site import Site, our_version, site
from web.uploads import check_room, receive

bp = Blueprint("api", __name__, url_prefix="/api")

JOBS_A_PAGE = 25
MOST_JOBS = 200
SEGMENTS_A_PAGE = 1000
MOST_SEGMENTS = 5000


@bp.get("/health")
def health() -> Response:
    """Tell whether requests can be served: the store answers and has our tables."""
    with site().store.read() as session:
        jobs.count_jobs(session)
    return jsonify(status="ok", version=our_version())


@bp.post("/jobs")
def submit() -> tuple[Response, int, dict[str, str]]:
    """Receive a file and queue it."""
    here = site()
    limit = here.settings.max_upload_bytes
    check_room(request, here.media, limit)
    with here.media.receive(limit) as incoming:
        wish = receive(request, incoming, here.settings)
        job_id = queue_upload(here, incoming, wish)
    return jsonify(_shape(here, job_id)), 201, {"Location": url_for(".show", job_id=job_id)}


@bp.get("/jobs")
def index() -> Response:
    """List jobs, newest first."""
    here = site()
    limit = _whole_number("limit", JOBS_A_PAGE, 1, MOST_JOBS)
    before = request.args.get("before")
    with here.store.read() as session:
        rows = jobs.list_jobs(
            session,
            limit=limit + 1,
            before=jobs.get_job(session, before) if before else None,
            state=_state(request.args.get("state", "")),
        )
        counts = jobs.count_jobs(session)
        answer = JobListShape(
            jobs=[job_shape(session, here.media, job) for job in rows[:limit]],
            next=rows[limit - 1].id if len(rows) > limit else None,
            counts={state.value: counts.get(state, 0) for state in JobState},
        )
    return jsonify(answer)


@bp.get("/jobs/<id:job_id>")
def show(job_id: str) -> Response:
    return jsonify(_shape(site(), job_id))


@bp.get("/jobs/<id:job_id>/segments")
def segments(job_id: str) -> Response:
    """List segments from window `since` on, as far as they are stored."""
    since = _whole_number("since", 0, 0, 2**31 - 1)
    limit = _whole_number("limit", SEGMENTS_A_PAGE, 1, MOST_SEGMENTS)
    with site().store.read() as session:
        job = jobs.get_job(session, job_id)
        missing = first_missing(session, job)
        rows = list_segments(session, job_id, since=since, limit=limit)
    after = rows[-1].index + 1 if len(rows) == limit else missing
    passes_over = since <= missing < after and not job.state.ended  # one that is still to come
    answer = SegmentListShape(
        segments=segment_shapes(job, rows),
        next=missing if passes_over else after,
        state=job.state.value,
    )
    return jsonify(answer)


@bp.post("/jobs/<id:job_id>/cancel")
def cancel(job_id: str) -> Response:
    return _change(lambda session: jobs.cancel(session, job_id))


@bp.post("/jobs/<id:job_id>/pause")
def pause(job_id: str) -> Response:
    return _change(lambda session: jobs.pause(session, job_id))


@bp.post("/jobs/<id:job_id>/resume")
def resume(job_id: str) -> Response:
    return _queue_again(lambda session: jobs.resume(session, job_id))


@bp.post("/jobs/<id:job_id>/retry")
def retry(job_id: str) -> Response:
    return _queue_again(lambda session: jobs.retry(session, job_id))


@bp.patch("/jobs/<id:job_id>")
def change(job_id: str) -> Response:
    """Change what may change of a job: its priority."""
    wish = request.get_json()
    if not isinstance(wish, dict) or set(wish) != {"priority"} or type(wish["priority"]) is not int:
        raise InvalidRequest('Send {"priority": n} with a whole number.')
    return _change(lambda session: jobs.set_priority(session, job_id, wish["priority"]))


@bp.delete("/jobs/<id:job_id>")
def delete(job_id: str) -> tuple[str, int]:
    """Delete a job with all that was said, and its video unless another job uses it."""
    here = site()
    with here.store.write() as session:
        video_id = jobs.delete_job(session, job_id)
        unused = remove_video_without_jobs(session, video_id)
    here.media.remove_stills(job_id)
    if unused:
        here.media.remove_video(video_id)
    return "", 204


def _change(wish: Callable[[Session], Job]) -> Response:
    here = site()
    with here.store.write() as session:
        job_id = wish(session).id
    return jsonify(_shape(here, job_id))


def _queue_again(wish: Callable[[Session], Job]) -> Response:
    """Change a job to queued; the workers are told once that is committed."""
    here = site()
    with here.store.write() as session:
        hints = jobs.open_hints(session, wish(session), here.settings.job_parallelism)
    send_hints(here.celery, hints)
    return jsonify(_shape(here, hints.job_id))


def _shape(here: Site, job_id: str) -> JobShape:
    with here.store.read() as session:
        return job_shape(session, here.media, jobs.get_job(session, job_id))


def _state(text: str) -> JobState | None:
    if not text:
        return None
    try:
        return JobState(text)
    except ValueError:
        raise InvalidRequest(
            f"There is no state {text[:40]!r}; choose one of {', '.join(JobState)}."
        ) from None


def _whole_number(name: str, default: int, low: int, high: int) -> int:
    text = request.args.get(name, "")
    try:
        value = int(text) if text else default
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InvalidRequest(
            f"`{name}` must be a whole number from {low} to {high}, not {text[:40]!r}."
        )
    return value
