"""What goes on over all jobs and workers: a page, and the same for programs."""

from collections import defaultdict

from flask import Blueprint, Response, jsonify, render_template, url_for

from models import activity, job_lists, workers
from models.activity import Minute
from models.tables import JobState, Worker
from models.workers import Hold
from web.shapes import (
    AcceleratorShape,
    ActivityShape,
    HoldShape,
    MinuteShape,
    QueueShape,
    WorkerShape,
)
from web.site import site

bp = Blueprint("activity", __name__)


@bp.get("/activity")
def page() -> str:
    """Show it; the script asks for the numbers."""
    return render_template("activity.html", states=list(JobState))


@bp.get("/api/activity")
def show() -> Response:
    """Tell of the last hour, of what waits, what failed and who works."""
    with site().store.read() as session:
        counts = job_lists.count_jobs(session)
        holds: dict[str, list[Hold]] = defaultdict(list)
        for hold in workers.list_holds(session):
            holds[hold.worker].append(hold)
        answer = ActivityShape(
            jobs={state.value: counts.get(state, 0) for state in JobState},
            queue=[
                QueueShape(commentator=it.commentator, jobs=it.jobs, windows=it.windows)
                for it in activity.queue(session)
            ],
            minutes=[_minute(minute) for minute in activity.throughput(session)],
            failures=dict(activity.failures(session)),
            workers=[_worker(row, holds[row.name]) for row in workers.list_alive(session)],
        )
    return jsonify(answer)


def _minute(minute: Minute) -> MinuteShape:
    return MinuteShape(
        start_ms=minute.start_ms,
        windows=minute.windows,
        video_ms=minute.video_ms,
        tokens_out=minute.tokens_out,
    )


def _worker(row: Worker, holds: list[Hold]) -> WorkerShape:
    return WorkerShape(
        name=f"{row.host}-{row.pid}",
        host=row.host,
        commentator=row.commentator,
        streams=row.streams,
        started_ms=row.started_ms,
        seen_ms=row.seen_ms,
        memory_bytes=row.memory_bytes,
        accelerator=_accelerator(row),
        holds=[
            HoldShape(
                job=hold.job_id,
                filename=hold.filename,
                window=hold.window,
                addition=hold.addition,
                page=url_for("pages.show", job_id=hold.job_id),
            )
            for hold in holds
        ],
    )


def _accelerator(row: Worker) -> AcceleratorShape | None:
    if row.accelerator is None:
        return None
    return AcceleratorShape(
        name=row.accelerator,
        used_bytes=row.accelerator_used_bytes or 0,
        total_bytes=row.accelerator_total_bytes or 0,
    )
