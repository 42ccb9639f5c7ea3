"""The JSON API for jobs: upload, list, state, segments, and what can be done to a job."""

from flask import Blueprint, Response, jsonify, request, url_for
from sqlalchemy.orm import Session

from models import job_lists, jobs
from models.errors import InvalidRequest
from models.idempotency import Answer
from models.job_lists import Filter
from models.paging import Place, next_place
from models.segments import first_missing, list_segments
from models.tables import CommentKind, Job, JobState, Video
from web import actions
from web.answers import job_shape, job_shapes, offer_shape, segment_shapes, writing_shapes
from web.intake import queue_incoming
from web.limits import one_upload
from web.once import answered, once
from web.playback import playback_shape
from web.query import choice, job_filter, place, whole_number
from web.shapes import JobListShape, JobShape, PlaybackShape, SegmentListShape
from web.site import Site, site
from web.uploads import FORM_BYTES, check_room, check_size, receive

bp = Blueprint("api", __name__, url_prefix="/api")

JOBS_A_PAGE = 25
MOST_JOBS = 200
SEGMENTS_A_PAGE = 1000
MOST_SEGMENTS = 5000


@bp.get("/commentators")
def commentators() -> Response:
    """Tell who comments here, and the profiles of those that are asked in words."""
    return jsonify(offer_shape(site().settings))


@bp.post("/jobs")
def submit() -> Response:
    """Receive a file and queue it."""
    here = site()
    limit = here.settings.max_upload_bytes
    announced = request.content_length or 0
    check_size(announced, limit + FORM_BYTES)
    check_room(announced, here.media)
    with one_upload(), here.media.scratch.receive(limit) as incoming:
        wish = receive(request, incoming, here.settings)
        with once(wish.fingerprint, incoming.sha256) as deed:
            if deed.before is not None:
                return answered(deed.before, again=True)
            answers: list[Answer] = []

            def settle(session: Session, job: Job) -> None:
                shape, location = job_shape(session, here, job), url_for(".show", job_id=job.id)
                answers.append(deed.keep(session, shape, 201, location))

            queue_incoming(here, incoming, wish, settle)
    return answered(answers[-1])


@bp.get("/jobs")
def index() -> Response:
    """List jobs, newest first."""
    here = site()
    limit = whole_number("limit", JOBS_A_PAGE, 1, MOST_JOBS)
    before, wanted = place(), job_filter()
    body = here.answers.get(
        ("list", limit, before, wanted), lambda: _list(here, limit, before, wanted).get_data()
    )
    return Response(body, mimetype="application/json")


def _list(here: Site, limit: int, before: Place | None, wanted: Filter) -> Response:
    with here.store.read() as session:
        rows = job_lists.list_jobs(session, limit=limit + 1, before=before, wanted=wanted)
        counts = job_lists.count_jobs(session)
        answer = JobListShape(
            jobs=job_shapes(session, here, rows[:limit]),
            next=next_place(rows, limit),
            counts={state.value: counts.get(state, 0) for state in JobState},
            failures=job_lists.count_failures(session),
        )
    return jsonify(answer)


@bp.get("/jobs/<id:job_id>")
def show(job_id: str) -> Response:
    """Tell of a job: its video, its parameters, how far it is and where its files are."""
    here = site()
    body = here.answers.get(("job", job_id), lambda: jsonify(_shape(here, job_id)).get_data())
    return Response(body, mimetype="application/json")


@bp.get("/jobs/<id:job_id>/segments")
def segments(job_id: str) -> Response:
    """List segments from window `since` on, as far as they are stored."""
    since = whole_number("since", 0, 0, 2**31 - 1)
    limit = whole_number("limit", SEGMENTS_A_PAGE, 1, MOST_SEGMENTS)
    kind = choice("kind", CommentKind)
    with site().store.read() as session:
        job = jobs.get_job(session, job_id)
        missing = first_missing(session, job)
        rows = list_segments(
            session, job_id, since=since, limit=limit, kind=CommentKind(kind) if kind else None
        )
        writing = writing_shapes(session, job)
    after = rows[-1].index + 1 if len(rows) == limit else missing
    passes_over = since <= missing < after and not job.state.ended  # one that is still to come
    answer = SegmentListShape(
        segments=segment_shapes(job, rows),
        writing=writing,
        next=missing if passes_over else after,
        state=job.state.value,
    )
    return jsonify(answer)


@bp.get("/jobs/<id:job_id>/playback")
def playback(job_id: str) -> Response:
    """Tell of the copy that every browser plays."""
    return jsonify(_playback(_video(job_id)))


@bp.post("/jobs/<id:job_id>/playback")
def want_playback(job_id: str) -> tuple[Response, int]:
    """Have a copy made that every browser plays, unless there is one."""
    video = _video(job_id)
    site().playbacks.want(video)
    return jsonify(_playback(video)), 202


@bp.post("/jobs/<id:job_id>/cancel")
def cancel(job_id: str) -> Response:
    """End a queued, running or paused job; what was said so far stays."""
    actions.cancel(site(), job_id)
    return jsonify(_shape(site(), job_id))


@bp.post("/jobs/<id:job_id>/pause")
def pause(job_id: str) -> Response:
    """Pause a queued or running job; windows that are being commented are still stored."""
    actions.pause(site(), job_id)
    return jsonify(_shape(site(), job_id))


@bp.post("/jobs/<id:job_id>/resume")
def resume(job_id: str) -> Response:
    """Let a paused job go on where it stood."""
    actions.resume(site(), job_id)
    return jsonify(_shape(site(), job_id))


@bp.post("/jobs/<id:job_id>/retry")
def retry(job_id: str) -> Response:
    """Take up a failed or cancelled job again, at the first window that is missing."""
    actions.retry(site(), job_id)
    return jsonify(_shape(site(), job_id))


@bp.patch("/jobs/<id:job_id>")
def change(job_id: str) -> Response:
    """Change what may change of a job: its priority."""
    wish = request.get_json()
    if not isinstance(wish, dict) or set(wish) != {"priority"} or type(wish["priority"]) is not int:
        raise InvalidRequest('Send {"priority": n} with a whole number.')
    actions.change(site(), lambda session: jobs.set_priority(session, job_id, wish["priority"]))
    return jsonify(_shape(site(), job_id))


@bp.delete("/jobs/<id:job_id>")
def delete(job_id: str) -> tuple[str, int]:
    """Delete a job with all that was said, and its video unless another job uses it."""
    actions.delete(site(), job_id)
    return "", 204


def _video(job_id: str) -> Video:
    with site().store.read() as session:
        return jobs.get_job(session, job_id).video


def _playback(video: Video) -> PlaybackShape:
    url = url_for("files.playback", video_id=video.id)
    return playback_shape(site().playbacks, video.id, url)


def _shape(here: Site, job_id: str) -> JobShape:
    with here.store.read() as session:
        return job_shape(session, here, jobs.get_job(session, job_id))
