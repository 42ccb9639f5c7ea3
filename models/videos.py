"""The rows of videos."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import NotFound
from models.facts import VideoFacts
from models.tables import Job, Video

REMOVAL_MS = 300_000  # a request to a storage is given up before


def facts_of(video: Video) -> VideoFacts:
    """Return what the probe found when the video was stored."""
    return VideoFacts.from_json(
        {field.name: getattr(video, field.name) for field in fields(VideoFacts)}
    )


def find_video(session: Session, sha256: str) -> Video | None:
    """Return the stored video with this content, if there is one."""
    return session.scalar(select(Video).where(Video.sha256 == sha256))


def lock_video(session: Session, video_id: str) -> Video | None:
    """Return the video, kept from other writers until the transaction ends; None if it is deleted.

    Whoever locks a job as well locks the video last.
    """
    return session.scalar(
        select(Video)
        .where(Video.id == video_id)
        .with_for_update(of=Video)
        .execution_options(populate_existing=True)
    )


def get_video(session: Session, video_id: str) -> Video:
    video = session.get(Video, video_id)
    if video is None:
        raise NotFound(f"There is no video {video_id[:40]!r}; it may have been deleted.")
    return video


def add_video(
    session: Session, video_id: str, sha256: str, size_bytes: int, facts: VideoFacts
) -> Video:
    """Record a file that is already in the media folder under `video_id`."""
    video = Video(
        id=video_id,
        sha256=sha256,
        size_bytes=size_bytes,
        created_ms=now_ms(),
        **asdict(facts),
    )
    session.add(video)
    session.flush()
    return video


def remove_video_without_jobs(session: Session, video_id: str) -> bool:
    """Delete the row unless a job needs it; True says that the caller may remove the file."""
    lock_video(session, video_id)  # an upload may be adding a job now: wait for it, then look
    statement = (
        delete(Video)
        .where(Video.id == video_id, ~exists().where(Job.video_id == Video.id))
        .returning(Video.id)
    )
    return session.scalar(statement) is not None


def video_of_no_other_job(session: Session, job_id: str) -> str | None:
    """Return the id of the job's video if no other job uses it."""
    video_id = select(Job.video_id).where(Job.id == job_id).scalar_subquery()
    others = exists().where(Job.video_id == Video.id, Job.id != job_id)
    return session.scalar(select(Video.id).where(Video.id == video_id, ~others))


def why_removed(video: Video) -> str | None:
    """Say since when the file is gone, and why; None while it is there."""
    if video.removed_ms is None:
        return None
    day = datetime.fromtimestamp(video.removed_ms / 1000, UTC).strftime("%Y-%m-%d")
    return (
        f"The video was removed on {day} by the server's retention (setting KEEP_MEDIA_DAYS). What was "
        "said of it stays. Upload the same file again to have it back."
    )


def videos_past(session: Session, ended_before_ms: int) -> Sequence[str]:
    """Return the ids of videos whose jobs have all ended, the last of them before that time."""
    last_end = func.max(Job.finished_ms)
    return session.scalars(
        select(Video.id)
        .join(Job, Job.video_id == Video.id)
        .where(Video.removed_ms.is_(None))
        .group_by(Video.id)
        .having(last_end < ended_before_ms, func.count() == func.count(Job.finished_ms))
    ).all()


def note_removal(session: Session, video_id: str, ended_before_ms: int) -> bool:
    """Say in the rows that the file is gone, unless it is needed again; the caller then removes it."""
    jobs_of = select(Job.id).where(Job.video_id == video_id).order_by(Job.id)
    session.execute(jobs_of.with_for_update()).all()  # jobs before their video, as a retry does
    video = lock_video(session, video_id)  # a retry or an upload may be opening a job
    is_past = Job.finished_ms.is_not(None) & (Job.finished_ms < ended_before_ms)
    needed = select(exists().where(Job.video_id == video_id, ~is_past))
    if video is None or session.scalar(needed):
        return False
    video.removed_ms = now_ms()
    session.execute(update(Job).where(Job.video_id == video_id).values(stills_removed=True))
    return True


def removed_videos(session: Session) -> dict[str, Sequence[str]]:
    """Return the ids of removed videos, each with those of its jobs."""
    rows = session.execute(
        select(Video.id, Job.id).join(Job).where(Video.removed_ms.is_not(None)).order_by(Video.id)
    )
    found: dict[str, list[str]] = {}
    for video_id, job_id in rows:
        found.setdefault(video_id, []).append(job_id)
    return dict(found)


def begin_removal(session: Session, video_id: str) -> int | None:
    """Take the turn to remove what the row says is gone; None if it was uploaded again.

    Until the moment that is returned (ms since 1970) nobody brings it back, unless end_removal() comes first;
    who removes asks may_remove() before each file.
    """
    video = lock_video(session, video_id)
    if video is None or video.removed_ms is None:
        return None
    video.removed_ms = now_ms() + REMOVAL_MS
    return video.removed_ms


def may_remove(until_ms: int) -> bool:
    """Tell whether a turn of begin_removal() lasts for one removal more: its process may have been frozen."""
    return now_ms() < until_ms - REMOVAL_MS // 2


def end_removal(session: Session, video_id: str, until_ms: int) -> None:
    """Say that what begin_removal() was answered for is done."""
    session.execute(
        update(Video)
        .where(Video.id == video_id, Video.removed_ms == until_ms)
        .values(removed_ms=now_ms())
    )


def is_being_removed(video: Video) -> bool:
    return video.removed_ms is not None and video.removed_ms > now_ms()
