"""Runs: a video commented again, whole or in some windows, without another upload.

A run is a job like any other. Where only some windows are commented anew, the others are taken over
from the run it comes from, corrections included: their segments are copied, marked with the job that
said them, and their chunks are finished from the start.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from models import jobs
from models.commentators import COMMENTATORS
from models.errors import InvalidRequest
from models.parameters import Parameters, parse_parameters
from models.prompting import PROMPT_FIELDS
from models.segments import stored_spans
from models.tables import Chunk, Job, Segment, Stage
from settings import Settings

Span = tuple[int, int]
"""Windows [first, stop)."""


def changed_parameters(source: Job, changes: Mapping[str, str], defaults: Settings) -> Parameters:
    """Return the source's parameters with some of them changed, each given as a form gives it.

    A prompt goes with its commentator, without what that one doesn't heed, a system prompt with its
    profile, and a hop that was worked out is worked out anew. Raises InvalidRequest.
    """
    values = {name: str(value) for name, value in source_parameters(source).items()}
    about = COMMENTATORS.get(values["commentator"])
    dropped: Collection[str] = about.unheeded if about else ()
    if changes.get("commentator", values["commentator"]) != values["commentator"]:
        dropped = PROMPT_FIELDS
    values = {name: value for name, value in values.items() if name not in dropped}
    if changes.get("profile", values.get("profile")) != values.get("profile"):
        values.pop("system_prompt", None)
    frames, stride = int(values["frames_per_inference"]), int(values["frame_stride"])
    if int(values["window_hop"]) == frames * stride:
        values["window_hop"] = "0"
    return parse_parameters({**values, **changes}, defaults)


def source_parameters(source: Job) -> dict[str, Any]:
    return Parameters.from_json(source.parameters).to_json()


def start_run(
    session: Session,
    source: Job,
    parameters: Parameters,
    windows: Iterable[int] | None,
    *,
    chunk_windows: int,
    priority: int = 0,
) -> Job:
    """Queue the source's video again; open_hints() and send_hints() follow.

    `windows`: only these, and those that the source lacks; the rest is taken over. None: all.
    Raises InvalidRequest for windows that aren't there, or that these parameters cut otherwise, and
    Conflict for a video that was removed.
    """
    jobs.need_media(session, source.video_id, "This video can't be commented again.")
    job = jobs.create_job(
        session,
        source.video,
        source.filename,
        parameters,
        chunk_windows=chunk_windows,
        priority=priority,
    )
    job.source_id = source.id
    if windows is not None:
        _take_over(session, source, job, _checked(source, parameters, windows), chunk_windows)
    return job


def _checked(source: Job, parameters: Parameters, windows: Iterable[int]) -> set[int]:
    wanted = set(windows)
    before = Parameters.from_json(source.parameters)
    if (before.capture_fps, before.window_hop) != (parameters.capture_fps, parameters.window_hop):
        raise InvalidRequest(
            "Single windows can be commented anew only as they were cut before: leave the samples per second "
            "and the window hop as they are, or run the whole video."
        )
    if not wanted:
        raise InvalidRequest("Choose at least one window.")
    if wanted - set(range(source.window_count)):
        raise InvalidRequest(f"The windows of this job are 0 to {source.window_count - 1}.")
    return wanted


def _take_over(
    session: Session, source: Job, job: Job, wanted: set[int], chunk_windows: int
) -> None:
    session.execute(delete(Chunk).where(Chunk.job_id == job.id, Chunk.stage == Stage.WINDOWS))
    taken = [
        index
        for first, stop in stored_spans(session, source.id)
        for index in range(first, stop)
        if index not in wanted
    ]
    for first, stop in _runs(taken):
        _copy(session, source, job, first, stop)
    rest = sorted(set(range(job.window_count)) - set(taken))
    finished = [(first, stop, stop) for first, stop in _runs(taken)]
    unfinished = [
        (start, min(start + chunk_windows, stop), start)
        for first, stop in _runs(rest)
        for start in range(first, stop, chunk_windows)
    ]
    session.execute(
        insert(Chunk),
        [
            {"job_id": job.id, "first": first, "stop": stop, "cursor": cursor, "attempts": 0}
            for first, stop, cursor in (*finished, *unfinished)
        ],
    )
    job.windows_taken = len(taken)
    job.sources = _sources(session, source, job)
    job.stills_removed = source.stills_removed and bool(taken)


def _sources(session: Session, source: Job, job: Job) -> list[dict[str, Any]]:
    """Tell who said what was taken over, by the number of windows."""
    known = {told["job_id"]: told for told in source.sources}
    known[source.id] = {
        "job_id": source.id,
        "commentator": source.commentator,
        "networks": source.networks,
    }
    count = func.count()
    counted = session.execute(
        select(Segment.taken_from, count)
        .where(Segment.job_id == job.id, Segment.taken_from.is_not(None))
        .group_by(Segment.taken_from)
        .order_by(count.desc(), Segment.taken_from)
    )
    return [{**known[name], "windows": number} for name, number in counted if name in known]


def _copy(session: Session, source: Job, job: Job, first: int, stop: int) -> None:
    columns = list(Segment.__table__.columns)
    marked = {
        "job_id": literal(job.id),
        "taken_from": func.coalesce(Segment.taken_from, source.id),
    }
    session.execute(
        insert(Segment).from_select(
            [column.name for column in columns],
            select(*(marked.get(column.name, column) for column in columns)).where(
                Segment.job_id == source.id, Segment.index >= first, Segment.index < stop
            ),
        )
    )


def _runs(windows: Sequence[int]) -> Iterator[Span]:
    """Join windows, in order, that follow each other."""
    for _, run in groupby(enumerate(windows), key=lambda pair: pair[1] - pair[0]):
        members = [window for _, window in run]
        yield members[0], members[-1] + 1
