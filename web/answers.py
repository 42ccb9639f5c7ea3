"""From the store's rows to the API's answers: records, addresses and progress."""

from collections.abc import Container, Mapping, Sequence

from flask import url_for
from sqlalchemy.orm import Session

from models.additions import Making, makings_of_all, with_contents
from models.commentators import COMMENTATORS, why_unserved
from models.parameters import Parameters
from models.profiles import DEFAULT_PROFILE, PROFILES
from models.progress import Progress, progress_of_all
from models.segments import list_partial, with_first_picture
from models.tables import AdditionKind, Job, Segment
from models.windows import milliseconds
from settings import Settings
from web import thumbnails
from web.exports import CHAPTERS, COMMENTS, SPEECH, WRITERS
from web.records import job_record, segment_record, video_record
from web.renders import RENDERINGS
from web.shapes import (
    AdditionShape,
    CommentatorShape,
    JobShape,
    LinksShape,
    OfferShape,
    ProfileShape,
    RefusalShape,
    SegmentShape,
    ThumbnailsShape,
    VideoShape,
    WritingShape,
)
from web.site import Site


def job_shape(session: Session, site: Site, job: Job) -> JobShape:
    return job_shapes(session, site, [job])[0]


def job_shapes(session: Session, site: Site, jobs: Sequence[Job]) -> list[JobShape]:
    progress, makings = progress_of_all(session, jobs), makings_of_all(session, jobs)
    pictured = with_first_picture(session, [job.id for job in jobs])
    told = _told(session, makings)
    return [
        _job_shape(site, job, progress[job.id], makings[job.id], job.id in pictured, told[job.id])
        for job in jobs
    ]


def _told(session: Session, makings: Mapping[str, Sequence[Making]]) -> dict[str, set[str]]:
    """Return what there is to export of each job: comments always, chapters and speech where they are."""
    told = {job_id: {COMMENTS} for job_id in makings}
    everything = [(job_id, making) for job_id, its in makings.items() for making in its]
    for kind, name in ((AdditionKind.SUMMARY, CHAPTERS), (AdditionKind.TRANSCRIPT, SPEECH)):
        begun = [
            job_id
            for job_id, making in everything
            if making.kind is kind and (making.state == "ready" or name == SPEECH)
        ]
        for job_id in with_contents(session, kind, begun) if begun else ():
            told[job_id].add(name)
    return told


def _job_shape(
    site: Site,
    job: Job,
    progress: Progress,
    makings: Sequence[Making],
    is_pictured: bool,
    told: Container[str],
) -> JobShape:
    return {
        **job_record(job),
        "priority": job.priority,
        "additions": [addition_shape(making) for making in makings],
        "hindrance": None if job.state.ended else why_unserved(job.commentator, site.settings),
        "video": _video_shape(job),
        "windows_done": progress.windows_done,
        "realtime": progress.realtime,
        "eta_ms": progress.eta_ms,
        "still": still_url(job, 0) if is_pictured else None,
        "thumbnails": _thumbnails_shape(job),
        "links": _links(job, told),
    }


def addition_shape(making: Making) -> AdditionShape:
    failure = making.failure
    return AdditionShape(
        kind=making.kind.value,
        state=making.state,
        steps_done=making.done,
        steps_total=making.total,
        failure=RefusalShape(kind=failure[0], message=failure[1]) if failure else None,
    )


def _video_shape(job: Job) -> VideoShape:
    removed_ms = job.video.removed_ms
    url = url_for("files.video", video_id=job.video_id) if removed_ms is None else None
    return {**video_record(job.video), "url": url, "removed_ms": removed_ms}


def _thumbnails_shape(job: Job) -> ThumbnailsShape:
    width, height = thumbnails.tile_size(job.video)
    return ThumbnailsShape(
        url=url_for("files.sheet", job_id=job.id, number=0).replace("/0.jpg", "/{sheet}.jpg"),
        columns=thumbnails.COLUMNS,
        rows=thumbnails.ROWS,
        width=width,
        height=height,
    )


def _links(job: Job, told: Container[str]) -> LinksShape:
    return LinksShape(
        self=url_for("api.show", job_id=job.id),
        page=url_for("pages.show", job_id=job.id),
        segments=url_for("api.segments", job_id=job.id),
        summary=url_for("summary.show", job_id=job.id),
        transcript=url_for("transcript.show", job_id=job.id),
        events=url_for("events.stream", job_id=job.id),
        exports={
            name: url_for("exporting.export", job_id=job.id, export_format=name)
            for name, writer in WRITERS.items()
            if writer.tells in told
        },
        renders={
            name: url_for("exporting.show", job_id=job.id, export_format=name)
            for name in RENDERINGS
        },
    )


def segment_shapes(job: Job, rows: Sequence[Segment]) -> list[SegmentShape]:
    return [{**segment_record(row, job.video), "still": still_url(job, row.index)} for row in rows]


def writing_shapes(session: Session, job: Job) -> list[WritingShape]:
    """Return the windows that are being written just now, in order."""
    partial = list_partial(session, job.id)
    if not partial:
        return []
    plan = Parameters.from_json(job.parameters).plan(job.video)
    spans = [plan.span(window.index) for window in partial]
    return [
        WritingShape(
            index=window.index,
            start_ms=milliseconds(start),
            end_ms=milliseconds(end),
            text=window.text,
        )
        for window, (start, end) in zip(partial, spans, strict=True)
    ]


def offer_shape(settings: Settings) -> OfferShape:
    return OfferShape(
        commentators=[
            CommentatorShape(
                name=name,
                label=COMMENTATORS[name].label,
                takes_prompt=COMMENTATORS[name].is_prompted,
            )
            for name in settings.commentators
        ],
        profiles=[
            ProfileShape(name=name, title=profile.title, system_prompt=profile.system_prompt)
            for name, profile in PROFILES.items()
        ],
        default_profile=DEFAULT_PROFILE,
    )


def still_url(job: Job, window: int) -> str | None:
    if job.stills_removed:
        return None
    return url_for("files.still", job_id=job.id, window=window)
