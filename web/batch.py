"""The JSON API for many jobs at once: what is done to each, and all their exports as one ZIP."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, jsonify, request

from models import job_lists, jobs
from models.clock import now_ms
from models.errors import FAILURES, AppError, InvalidRequest, NotFound, StoreBusy
from models.ids import is_id
from models.paging import next_place
from web.actions import ACTIONS
from web.archive import Entry, stream_zip, unique_name
from web.documents import open_document, written
from web.exports import WRITERS, Choice, Writer, download_stem
from web.exports.clock import time_of_day
from web.once import answered, once
from web.query import job_filter, place, whole_number
from web.shapes import BatchShape, ErrorShape, IdListShape, OutcomeShape
from web.site import Site, site

bp = Blueprint("batch", __name__, url_prefix="/api/jobs")

MOST_AT_ONCE = 200
MOST_EXPORTED = 2000
_EXPORT_BYTES = 2**19  # of a form with so many ids, each in a part of its own
MOST_IDS = 10_000

_WISH = (
    f'Send {{"action": one of {", ".join(ACTIONS)}, "ids": […]}} with at most {MOST_AT_ONCE} ids, or '
    '{"action": …, "failure": kind} for the jobs that failed in that way.'
)


@bp.get("/ids")
def ids() -> Response:
    """List the ids of all jobs, or of those that are wanted: what “select all” means."""
    limit, wanted = whole_number("limit", MOST_IDS, 1, MOST_IDS), job_filter()
    with site().store.read() as session:
        found = job_lists.list_ids(session, limit=limit + 1, before=place(), wanted=wanted)
    ids = [row.id for row in found[:limit]]
    return jsonify(IdListShape(ids=ids, next=next_place(found, limit)))


@bp.post("/batch")
def batch() -> Response:
    """Do one thing to many jobs, each for itself; tell what became of each."""
    here = site()
    with once(request.get_data(as_text=True)) as deed:
        if deed.before is not None:
            return answered(deed.before, again=True)
        shape = _do(here, _wish())
        with here.store.write() as session:  # each job had a transaction of its own
            answer = deed.keep(session, shape, 200)
    return answered(answer)


def _do(here: Site, wish: Mapping[str, Any]) -> BatchShape:
    act = ACTIONS[wish["action"]]
    chosen, left = _chosen(here, wish)
    outcomes = [_outcome(here, act, job_id) for job_id in chosen]
    refused = sum(outcome["error"] is not None for outcome in outcomes)
    return BatchShape(outcomes=outcomes, done=len(outcomes) - refused, refused=refused, left=left)


def _wish() -> dict[str, Any]:
    wish = request.get_json()
    if not isinstance(wish, dict) or set(wish) not in ({"action", "ids"}, {"action", "failure"}):
        raise InvalidRequest(_WISH)
    if not isinstance(wish["action"], str) or wish["action"] not in ACTIONS:
        raise InvalidRequest(_WISH)
    if "failure" in wish and (
        not isinstance(wish["failure"], str) or wish["failure"] not in FAILURES
    ):
        raise InvalidRequest(
            f"Jobs fail in one of these ways: {', '.join(FAILURES)}; send one of them as `failure`."
        )
    if "ids" in wish:
        _check_ids(wish["ids"], MOST_AT_ONCE)
    return wish


def _check_ids(given: object, most: int) -> None:
    if not isinstance(given, list) or not all(isinstance(job_id, str) for job_id in given):
        raise InvalidRequest(_WISH)
    if not 1 <= len(given) <= most:
        raise InvalidRequest(f"Send from 1 to {most} ids, not {len(given)}.")


def _chosen(here: Site, wish: Mapping[str, Any]) -> tuple[Sequence[str], int]:
    """Return the ids of the jobs that are meant, and how many are left for another batch."""
    if "ids" in wish:
        return list(dict.fromkeys(wish["ids"])), 0
    with here.store.read() as session:
        wanted = job_lists.Filter(failure=wish["failure"])
        found = job_lists.list_ids(session, limit=MOST_IDS, wanted=wanted)
    failed = [row.id for row in found]
    return failed[:MOST_AT_ONCE], len(failed[MOST_AT_ONCE:])


def _outcome(here: Site, act: Any, job_id: str) -> OutcomeShape:
    error: ErrorShape | None = None
    try:
        if not is_id(job_id):
            raise NotFound(f"There is no job {job_id[:40]!r}.")
        act(here, job_id)
    except AppError as refusal:
        error = {"kind": refusal.kind, "message": str(refusal)}
    state = None
    with suppress(NotFound), here.store.read() as session:
        state = jobs.get_job(session, job_id).state.value
    return OutcomeShape(id=job_id, state=state, error=error)


@bp.post("/export")
def export() -> Response:
    """Send the exports of many jobs as one ZIP: a form with `format`, `text`, `cues` and `id`, once for each job."""
    request.max_content_length = request.max_form_memory_size = _EXPORT_BYTES
    request.max_form_parts = MOST_EXPORTED + 10
    name = request.form.get("format", "srt")
    writer = WRITERS.get(name)
    if writer is None:
        raise InvalidRequest(f"There is no export as {name[:20]!r}; choose {', '.join(WRITERS)}.")
    choice = Choice.parse(request.form)
    chosen = list(dict.fromkeys(request.form.getlist("id")))
    _check_ids(chosen, MOST_EXPORTED)
    answer = Response(
        stream_zip(_entries(site(), chosen, writer, choice)), mimetype="application/zip"
    )
    day = time_of_day(now_ms())[:10]
    answer.headers["Content-Disposition"] = f'attachment; filename="commentary {day}.zip"'
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _entries(here: Site, chosen: Sequence[str], writer: Writer, choice: Choice) -> Iterator[Entry]:
    """Yield each job's export; then, if some are missing, a file that says which and why."""
    taken: set[str] = set()
    missing = []
    for job_id in chosen:
        try:
            document = open_document(here, job_id, choice)
            file = written(document, writer)
        except (NotFound, StoreBusy) as error:
            missing.append(f"{job_id[:40]!r}: {error}\n")
            continue
        stem = download_stem(document.job["filename"])
        yield unique_name(stem, writer.extension, taken), file
    if missing:
        note = io.BytesIO("".join(missing).encode(errors="replace"))
        yield unique_name("missing", ".txt", taken), note
