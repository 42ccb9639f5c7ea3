"""The JSON API for corrections: a person's text beside what the commentator said."""

from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from models import corrections, jobs
from models.corrections import CorrectedMeanwhile
from models.errors import InvalidRequest
from models.segments import get_segment
from web.answers import segment_shapes
from web.site import site

bp = Blueprint("corrections", __name__, url_prefix="/api")

_WISH = (
    'Send {"text": "…", "revision": n}: the revision that you saw, a text or null for the original'
    ', and if you like {"by": "your name"}.'
)


@bp.get("/jobs/<id:job_id>/segments/<int:window>")
def show(job_id: str, window: int) -> Response:
    """Tell of one segment as it is now."""
    with site().store.read() as session:
        job = jobs.get_job(session, job_id)
        (shape,) = segment_shapes(job, [get_segment(session, job_id, window)])
    return jsonify(shape)


@bp.put("/jobs/<id:job_id>/segments/<int:window>/text")
def correct(job_id: str, window: int) -> tuple[Response, int]:
    """Correct a segment's text; 409 tells of the segment if somebody else was faster."""
    wish = _wish()
    text, revision, by = wish["text"], wish["revision"], _signer() or wish.get("by")
    with site().store.write() as session:
        job = jobs.get_job(session, job_id)
        try:
            segment = corrections.correct(session, job_id, window, text, revision=revision, by=by)
        except CorrectedMeanwhile as conflict:
            (shape,) = segment_shapes(job, [conflict.segment])
            error = {"kind": conflict.kind, "message": str(conflict)}
            return jsonify(error=error, segment=shape), 409
        (shape,) = segment_shapes(job, [segment])
    return jsonify(shape), 200


def _wish() -> dict[str, Any]:
    wish = request.get_json()
    fits = (
        isinstance(wish, dict)
        and {"text", "revision"} <= set(wish) <= {"text", "revision", "by"}
        and (wish["text"] is None or isinstance(wish["text"], str))
        and type(wish["revision"]) is int
        and 0 <= wish["revision"] < 2**31
        and isinstance(wish.get("by", ""), str)
    )
    if not fits:
        raise InvalidRequest(_WISH)
    return dict(wish)


def _signer() -> str | None:
    """Return the name of the token that a program came with: it can't call itself otherwise."""
    visitor = g.visitor or ""
    return visitor.removeprefix("token ") if visitor.startswith("token ") else None
