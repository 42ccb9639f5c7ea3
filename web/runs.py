"""The JSON API for runs: a video commented again, and two runs beside each other."""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from sqlalchemy.orm import Session

from models import job_lists, jobs, runs
from models.comparison import Row, Side, align, compare, is_different
from models.errors import Conflict, InvalidRequest, StoreBusy
from models.idempotency import Answer
from models.paging import next_place
from models.parameters import MAX_WINDOWS, PARAMETER_FIELDS
from models.segments import count_stored, list_segments, shown_words, stored_spans
from models.tables import Job, Segment
from telemetry.tracing import Submission
from web.actions import queue
from web.answers import job_shape
from web.once import Deed, answered, once
from web.query import choice, job_filter, place, whole_number
from web.shapes import (
    BriefSegmentShape,
    ComparisonShape,
    RowShape,
    RunListShape,
    RunShape,
    SideShape,
    StretchShape,
)
from web.site import Site, site

bp = Blueprint("runs", __name__, url_prefix="/api")

MOST_RUNS = 200
ROWS_A_PAGE = 200
MOST_ROWS = 1000

log = logging.getLogger(__name__)

_WISH = (
    'Send {"parameters": {…}, "windows": "0-3,7", "priority": n}; each may be left out: without windows '
    "the whole video is commented anew."
)


@bp.get("/jobs/<id:job_id>/runs")
def index(job_id: str) -> Response:
    """List the jobs of this job's video, newest first, itself among them."""
    limit, wanted = whole_number("limit", MOST_RUNS, 1, MOST_RUNS), job_filter()
    before = place()
    with site().store.read() as session:
        video_id = jobs.get_job(session, job_id).video_id
        found = job_lists.list_of_video(
            session, video_id, limit=limit + 1, before=before, wanted=wanted
        )
        answer = RunListShape(
            runs=[_run_shape(session, job) for job in found[:limit]],
            next=next_place(found, limit),
        )
    return jsonify(answer)


@bp.post("/jobs/<id:job_id>/runs")
def start(job_id: str) -> Response:
    """Comment a job's video again, with other parameters, whole or in some windows."""
    with once(request.get_data(as_text=True)) as deed:
        if deed.before is not None:
            return answered(deed.before, again=True)
        return answered(_start(job_id, _wish(), deed))


def _start(job_id: str, wish: Mapping[str, Any], deed: Deed) -> Answer:
    here = site()
    windows = _windows(wish.get("windows", ""))
    _need_file(here, job_id)
    taken: list[tuple[int, int]] = []
    answers: list[Answer] = []

    def begin(session: Session) -> Job:
        source = jobs.get_job(session, job_id)
        parameters = runs.changed_parameters(source, wish.get("parameters", {}), here.settings)
        job = runs.start_run(
            session,
            source,
            parameters,
            windows,
            chunk_windows=here.settings.chunk_windows,
            priority=wish.get("priority", 0),
        )
        taken.extend(stored_spans(session, job.id))
        location = url_for("api.show", job_id=job.id)
        answers.append(deed.keep(session, job_shape(session, here, job), 201, location))
        return job

    submission = Submission()
    with submission.step("store"):
        new_id = queue(here, begin)
    submission.queued(new_id, source=job_id)
    try:
        here.media.take_stills(job_id, new_id, (w for span in taken for w in range(*span)))
    except StoreBusy as error:
        # the run is queued: who heard of a failure would ask for another one
        log.warning("stills not taken over job_id=%s reason=%s", new_id, error)
    return answers[-1]


def _need_file(here: Site, job_id: str) -> None:
    """Raise Conflict where the video was lost: rows tell only of what was removed by us."""
    with here.store.read() as session:
        video = jobs.get_job(session, job_id).video
    if video.removed_ms is None and not here.media.has_video(video.id):
        raise Conflict(
            "The video's file is not in the media folder any more. Upload it again; then it can be run again."
        )


def _wish() -> dict[str, Any]:
    wish = request.get_json()
    fits = (
        isinstance(wish, dict)
        and set(wish) <= {"parameters", "windows", "priority"}
        and isinstance(wish.get("windows", ""), str)
        and type(wish.get("priority", 0)) is int
        and isinstance(wish.get("parameters", {}), dict)
    )
    if not fits:
        raise InvalidRequest(_WISH)
    return {**wish, "parameters": _parameters(wish.get("parameters", {}))}


def _parameters(given: Mapping[str, Any]) -> dict[str, str]:
    for name, value in given.items():
        if name not in PARAMETER_FIELDS:
            raise InvalidRequest(
                f"There is no parameter {name[:40]!r}; there are {', '.join(PARAMETER_FIELDS)}."
            )
        if type(value) not in (str, int, float):
            raise InvalidRequest(f"{name} must be a text or a number.")
    return {name: str(value) for name, value in given.items()}


def _windows(text: str) -> set[int] | None:
    """Read windows and spans of them, both ends included; "" means all."""
    wanted: set[int] = set()
    named = 0
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        if not re.fullmatch("[0-9]+(-[0-9]+)?", part) or len(part) > 20:
            raise InvalidRequest(f'Windows are written as in "0-3,7", not {part[:20]!r}.')
        start, stop = int(first), int(last or first) + 1
        if not start < stop <= MAX_WINDOWS:
            raise InvalidRequest(f"There are no windows {part[:20]!r}.")
        named += stop - start
        if named > MAX_WINDOWS:  # some of them again and again: each costs time
            raise InvalidRequest(f"At most {MAX_WINDOWS} windows can be named; name each once.")
        wanted.update(range(start, stop))
    if text and not wanted:
        raise InvalidRequest("Choose at least one window.")
    return wanted or None


@bp.get("/compare")
def comparison() -> Response:
    """Put two runs of a video beside each other, row by row from `since` on."""
    since = whole_number("since", 0, 0, 2**31 - 1)
    limit = whole_number("limit", ROWS_A_PAGE, 1, MOST_ROWS)
    only = choice("only", ("different",))
    with site().store.read() as session:
        left, right = (jobs.get_job(session, request.args.get(s, "")) for s in ("left", "right"))
        if left.video_id != right.video_id:
            raise InvalidRequest(
                f"{left.id} and {right.id} are jobs of different videos; choose two runs of one video."
            )
        sides = [list_segments(session, job.id) for job in (left, right)]
        heads = [_run_shape(session, job) for job in (left, right)]
    rows = list(align(*sides))
    different = [is_different(lefts, rights) for _, _, lefts, rights in rows]
    wanted = [n for n in range(since, len(rows)) if only is None or different[n]]
    shown = wanted[:limit]
    answer = ComparisonShape(
        left=heads[0],
        right=heads[1],
        rows=[_row_shape(compare(rows[n][2], rows[n][3], *rows[n][:2])) for n in shown],
        total=len(rows),
        different=sum(different),
        next=wanted[limit] if len(wanted) > limit else None,
    )
    return jsonify(answer)


def _run_shape(session: Session, job: Job) -> RunShape:
    return RunShape(
        id=job.id,
        filename=job.filename,
        state=job.state.value,
        commentator=job.commentator,
        parameters=runs.source_parameters(job),
        created_ms=job.created_ms,
        windows_done=count_stored(session, job.id),
        windows_total=job.window_count,
        windows_taken=job.windows_taken,
        source_id=job.source_id,
        page=url_for("pages.show", job_id=job.id),
    )


def _row_shape(row: Row) -> RowShape:
    return RowShape(
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        left=_side_shape(row.left),
        right=_side_shape(row.right),
        differs=row.differs,
    )


def _side_shape(side: Side) -> SideShape:
    return SideShape(
        segments=list(_brief(side.segments)),
        words=[StretchShape(text=s.text, shared=s.is_shared) for s in side.words],
    )


def _brief(segments: list[Segment]) -> Iterator[BriefSegmentShape]:
    for segment in segments:
        words = shown_words(segment)
        yield BriefSegmentShape(
            index=segment.index,
            start_ms=segment.start_ms,
            end_ms=segment.end_ms,
            kind=words.kind.value,
            text=words.text,
            corrected=segment.correction is not None,
            taken_from=segment.taken_from,
        )
