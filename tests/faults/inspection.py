"""What must be true of rows and files once every job has ended, whatever was done to the processes."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import uploads
from models.media import Media
from models.owners import is_gone
from models.store import Store
from models.tables import Chunk, Job, JobState, Segment, Upload, Video


def faults_of(store: Store, media: Media, expected: Mapping[str, JobState]) -> list[str]:
    """Return a sentence for each thing that is lost, doubled, orphaned or in a wrong state.

    A job that `expected` doesn't name must be done: its upload's answer may have been lost, it wasn't.
    """
    with store.read() as session:
        jobs = session.scalars(select(Job)).all()
        chunks = session.scalars(select(Chunk).order_by(Chunk.job_id, Chunk.first)).all()
        segments = session.scalars(select(Segment).order_by(Segment.job_id, Segment.index)).all()
        return [
            *(f"job {job_id} is gone" for job_id in {*expected} - {job.id for job in jobs}),
            *_strays(session, jobs),
            *(
                fault
                for job in jobs
                for fault in _faults_of_job(
                    job,
                    [chunk for chunk in chunks if chunk.job_id == job.id],
                    [segment for segment in segments if segment.job_id == job.id],
                    expected.get(job.id, JobState.DONE),
                )
            ),
            *_faults_of_files(session, media, segments),
        ]


def _strays(session: Session, jobs: Sequence[Job]) -> Iterator[str]:
    known = {job.id for job in jobs}
    for table in (Chunk, Segment):
        for job_id in set(session.scalars(select(table.job_id))) - known:
            yield f"a row of {table.__tablename__} belongs to job {job_id}, which isn't there"
    for video_id in set(session.scalars(select(Video.id))) - {job.video_id for job in jobs}:
        yield f"the row of video {video_id} has no job"
    held = session.execute(select(Upload.id, Upload.holder).where(Upload.holder.is_not(None)))
    for upload_id, holder in held:
        if is_gone(holder or ""):
            yield f"upload {upload_id} is still in the hands of {holder}, which is gone"


def _faults_of_job(
    job: Job, chunks: Sequence[Chunk], segments: Sequence[Segment], expected: JobState
) -> Iterator[str]:
    if job.state != expected:
        yield f"job {job.id} is {job.state}, not {expected}: {job.failure_text}"
    if [n for chunk in chunks for n in range(chunk.first, chunk.stop)] != [
        *range(job.window_count)
    ]:
        yield f"the chunks of job {job.id} don't cover its windows once"
    stored = [segment.index for segment in segments]
    if stored != [n for chunk in chunks for n in range(chunk.first, chunk.cursor)]:
        yield f"the segments of job {job.id} aren't those that its cursors tell: {stored}"
    if job.state == JobState.DONE and stored != [*range(job.window_count)]:
        yield f"job {job.id} is done without a segment for each window: {stored}"
    for one, next_one in pairwise(segments):
        if one.index + 1 == next_one.index and one.end_ms != next_one.start_ms:
            yield f"segments {one.index} and {next_one.index} of job {job.id} don't adjoin"
    for chunk in chunks:
        if chunk.owner or chunk.lease_until_ms or chunk.partial_text:
            yield f"chunk {chunk.first} of job {job.id} still belongs to {chunk.owner}"


def _faults_of_files(session: Session, media: Media, segments: Sequence[Segment]) -> Iterator[str]:
    videos = {video.id: video for video in session.scalars(select(Video))}
    files = {path.name: path for path in _listed(media, "videos")}
    for name in {*files} ^ {*videos}:
        yield f"video {name} has {'a file and no row' if name in files else 'a row and no file'}"
    for name in {*files} & {*videos}:
        if hashlib.sha256(files[name].read_bytes()).hexdigest() != videos[name].sha256:
            yield f"the file of video {name} isn't what was uploaded"
    yield from (
        f"an upload that ended left incoming/{path.name}" for path in _listed(media, "incoming")
    )
    awaited = set(uploads.list_arriving(session))
    yield from (
        f"uploads/{path.name} is of no upload that goes on"
        for path in _listed(media, "uploads")
        if path.name not in awaited
    )
    wanted = {(segment.job_id, f"{segment.index}.jpg") for segment in segments if segment.frame_pts}
    stills = {
        (folder.name, path.name) for folder in _listed(media, "stills") for path in folder.iterdir()
    }
    yield from (f"segment {job}/{name} has no still" for job, name in wanted - stills)
    yield from (f"still {job}/{name} has no segment" for job, name in stills - wanted)
    for folder in _listed(media, "stills"):
        if not any(job == folder.name for job, _ in wanted):
            yield f"stills/{folder.name} belongs to no job"


def _listed(media: Media, kind: str) -> list[Path]:
    folder = media.root / kind
    return sorted(folder.iterdir()) if folder.is_dir() else []
