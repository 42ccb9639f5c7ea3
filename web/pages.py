"""The pages. They hold what never changes; scripts fill in the rest through the API."""

from flask import Blueprint, render_template

from models import jobs
from models.parameters import COMMENTATORS, RANGES, parse_parameters
from models.tables import JobState
from web.answers import job_shape
from web.site import site

bp = Blueprint("pages", __name__)


@bp.get("/")
def index() -> str:
    """Show where to drop videos, and the jobs."""
    settings = site().settings
    return render_template(
        "index.html",
        settings=settings,
        parameters=parse_parameters({}, settings),
        label=COMMENTATORS[settings.commentator],
        states=list(JobState),
        ranges=RANGES,
    )


@bp.get("/jobs/<id:job_id>")
def show(job_id: str) -> str:
    """Show a job: the player, what is said, the timings."""
    here = site()
    with here.store.read() as session:
        job = job_shape(session, here.media, jobs.get_job(session, job_id))
    return render_template("job.html", job=job)


@bp.app_context_processor
def priorities() -> dict[str, range]:
    """Tell every page which priorities can be chosen."""
    return {"priorities": jobs.PRIORITIES}


@bp.app_template_filter("clock")
def clock(ms: int) -> str:
    """Write a time of a video: 83000 is "1:23"; from an hour on "1:00:00"."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
