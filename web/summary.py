"""The JSON API for a job's summary and chapters."""

from collections.abc import Sequence

from flask import Blueprint, Response, jsonify
from sqlalchemy.orm import Session

from models import jobs, passages
from models.additions import Making, makings_of_all
from models.tables import AdditionKind, Passage
from web import actions
from web.answers import addition_shape
from web.records import read_summary
from web.shapes import EffortRecord, SummaryShape
from web.site import site

bp = Blueprint("summary", __name__, url_prefix="/api")

_NONE = Making(AdditionKind.SUMMARY, "none", 0, 0)


@bp.get("/jobs/<id:job_id>/summary")
def show(job_id: str) -> Response:
    """Tell the summary, or how far it is."""
    with site().store.read() as session:
        return jsonify(_shape(session, job_id))


@bp.post("/jobs/<id:job_id>/summary")
def want(job_id: str) -> tuple[Response, int]:
    """Have a summary made, anew if there is one: of the comments as they are corrected by now."""
    here = site()
    actions.queue(here, lambda session: jobs.add(session, job_id, AdditionKind.SUMMARY))
    with here.store.read() as session:
        return jsonify(_shape(session, job_id)), 202


@bp.delete("/jobs/<id:job_id>/summary")
def forget(job_id: str) -> tuple[str, int]:
    """Remove the summary, or end its making."""
    # What is left of the job may be of another stage, of which no worker has been told yet.
    actions.queue(site(), lambda session: jobs.drop(session, job_id, AdditionKind.SUMMARY))
    return "", 204


def _shape(session: Session, job_id: str) -> SummaryShape:
    job = jobs.get_job(session, job_id)
    makings = makings_of_all(session, [job])[job_id]
    making = next((one for one in makings if one.kind is AdditionKind.SUMMARY), _NONE)
    summary, rows = read_summary(session, job_id), passages.list_passages(session, job_id)
    shown = addition_shape(making)
    return SummaryShape(
        state=shown["state"],
        steps_done=shown["steps_done"],
        steps_total=shown["steps_total"],
        failure=shown["failure"],
        summary=summary,
        outdated=summary is not None
        and passages.is_outdated(session, job_id, min(row.told_ms or 0 for row in rows)),
        passages=sum(row.told_ms is not None for row in rows),
        effort=_effort(rows),
    )


def _effort(rows: Sequence[Passage]) -> EffortRecord:
    return EffortRecord(
        waiting_ms=round(sum(row.waiting_ms for row in rows), 3),
        prefill_ms=round(sum(row.prefill_ms for row in rows), 3),
        generate_ms=round(sum(row.generate_ms for row in rows), 3),
        total_ms=round(sum(row.total_ms for row in rows), 3),
        tokens_in=_total([row.tokens_in for row in rows]),
        tokens_out=_total([row.tokens_out for row in rows]),
    )


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
