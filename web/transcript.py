"""The JSON API for what is said in a job's video."""

from flask import Blueprint, Response, jsonify
from sqlalchemy.orm import Session

from models import jobs
from models.additions import Making, makings_of_all
from models.errors import Conflict
from models.parameters import NO_TRANSCRIBER
from models.tables import AdditionKind
from models.utterances import list_utterances
from web import actions
from web.answers import addition_shape
from web.records import utterance_record
from web.shapes import TranscriptShape
from web.site import site

bp = Blueprint("transcript", __name__, url_prefix="/api")

_NONE = Making(AdditionKind.TRANSCRIPT, "none", 0, 0)


@bp.get("/jobs/<id:job_id>/transcript")
def show(job_id: str) -> Response:
    """Tell what is said in the video, as far as it is written down."""
    with site().store.read() as session:
        return jsonify(_shape(session, job_id))


@bp.post("/jobs/<id:job_id>/transcript")
def want(job_id: str) -> tuple[Response, int]:
    """Have it written down what is said, anew if it was."""
    here = site()
    if not here.settings.transcribes:
        raise Conflict(NO_TRANSCRIBER)
    actions.queue(here, lambda session: jobs.add(session, job_id, AdditionKind.TRANSCRIPT))
    with here.store.read() as session:
        return jsonify(_shape(session, job_id)), 202


@bp.delete("/jobs/<id:job_id>/transcript")
def forget(job_id: str) -> tuple[str, int]:
    """Remove what was written down, or end its making."""
    # What is left of the job may be of another stage, of which no worker has been told yet.
    actions.queue(site(), lambda session: jobs.drop(session, job_id, AdditionKind.TRANSCRIPT))
    return "", 204


def _shape(session: Session, job_id: str) -> TranscriptShape:
    job = jobs.get_job(session, job_id)
    makings = makings_of_all(session, [job])[job_id]
    making = next((one for one in makings if one.kind is AdditionKind.TRANSCRIPT), _NONE)
    shown = addition_shape(making)
    is_offered = job.video.has_audio and job.video.removed_ms is None
    return TranscriptShape(
        state=shown["state"],
        steps_done=shown["steps_done"],
        steps_total=shown["steps_total"],
        failure=shown["failure"],
        offered=site().settings.transcribes and is_offered,
        utterances=[utterance_record(row) for row in list_utterances(session, job_id)],
    )
