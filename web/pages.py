"""The pages. They hold what never changes; scripts fill in the rest through the API."""

from flask import Blueprint, render_template, request

from models import jobs
from models.commentators import COMMENTATORS
from models.facts import duration_ms
from models.parameters import RANGES, SWITCHES, Parameters, parse_parameters
from models.profiles import PROFILES
from models.prompting import (
    LONGEST_INSTRUCTION,
    LONGEST_SYSTEM_PROMPT,
    PROMPT_RANGES,
    parse_prompting,
)
from models.tables import JobState
from models.videos import why_removed
from web.answers import job_shape
from web.exporting import formats
from web.exports import GROUPS, WRITERS
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
        prompting=parse_prompting({}, settings),
        commentators={name: COMMENTATORS[name] for name in settings.commentators},
        profiles=PROFILES,
        states=list(JobState),
        formats=list(WRITERS),
        ranges={**RANGES, **SWITCHES, **PROMPT_RANGES},
        longest={"system_prompt": LONGEST_SYSTEM_PROMPT, "instruction": LONGEST_INSTRUCTION},
    )


@bp.get("/jobs/<id:job_id>")
def show(job_id: str) -> str:
    """Show a job: the player, what is said, the timings."""
    here = site()
    with here.store.read() as session:
        row = jobs.get_job(session, job_id)
        job, removed = job_shape(session, here, row), why_removed(row.video)
        frame_seconds = duration_ms(row.video) / 1000 / max(row.video.frame_count, 1)
    return render_template(
        "job.html",
        job=job,
        ended=row.state.ended,
        removed=removed,
        frame_seconds=frame_seconds,
        formats=formats(),
        groups=GROUPS,
    )


@bp.get("/jobs/<id:job_id>/again")
def again(job_id: str) -> str:
    """Show what a job was asked, to ask it otherwise."""
    here = site()
    with here.store.read() as session:
        row = jobs.get_job(session, job_id)
        job = job_shape(session, here, row)
    asked = Parameters.from_json(row.parameters).prompting
    return render_template(
        "again.html",
        job=job,
        settings=here.settings,
        prompting=asked or parse_prompting({}, here.settings),
        commentators={name: COMMENTATORS[name] for name in here.settings.commentators},
        profiles=PROFILES,
        ranges={**RANGES, **SWITCHES, **PROMPT_RANGES},
        longest={"system_prompt": LONGEST_SYSTEM_PROMPT, "instruction": LONGEST_INSTRUCTION},
    )


@bp.get("/compare")
def compare() -> str:
    """Show two runs of a video beside each other."""
    with site().store.read() as session:
        left, right = (jobs.get_job(session, request.args.get(s, "")) for s in ("left", "right"))
    return render_template("compare.html", left=left.id, right=right.id, filename=left.filename)


@bp.get("/find")
def find() -> str:
    """Show where to search all commentary."""
    return render_template(
        "find.html",
        states=list(JobState),
        commentators=list(COMMENTATORS),
        profiles=list(PROFILES),
    )


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
