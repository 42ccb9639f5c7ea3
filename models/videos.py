"""Videos: what the probe found in a file, and the rows that hold it."""

from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any, Self

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import NotFound
from models.tables import Job, Video
from models.windows import milliseconds


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a probe of the file found: measured from its packets, not believed from its header.

    Ticks count `time_base` seconds each, on the stream's own axis.
    """

    container: str  # FFmpeg's name of the demuxer, e.g. "mov,mp4,m4a,3gp,3g2,mj2"
    codec: str  # e.g. "h264"
    stream_index: int  # of the video stream that is used
    width: int  # pixels as displayed: upright, with square pixels
    height: int
    time_base: str  # seconds per tick, e.g. "1/90000"
    origin_pts: int  # ticks: the first displayable picture; time 0 of all we say
    last_pts: int  # ticks: the last picture appears
    end_pts: int  # ticks: the last picture disappears
    frame_count: int  # pictures in the stream, undecodable ones included
    has_audio: bool
    mime_type: str  # for the browser, e.g. "video/mp4"; "" if no browser plays it
    warnings: list[str]  # sentences for a person: cut off, damaged, several streams …

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def seconds(video: Video | VideoFacts, pts: int) -> Fraction:
    """Return the time of a tick, in seconds since the first displayable picture."""
    return (pts - video.origin_pts) * Fraction(video.time_base)


def time_ms(video: Video | VideoFacts, pts: int) -> int:
    """Return the time of a tick as it is stored and shown: in whole milliseconds."""
    return milliseconds(seconds(video, pts))


def duration_ms(video: Video | VideoFacts) -> int:
    """Return when the last picture disappears."""
    return time_ms(video, video.end_pts)


def facts_of(video: Video) -> VideoFacts:
    """Return what the probe found when the video was stored."""
    return VideoFacts.from_json(
        {field.name: getattr(video, field.name) for field in fields(VideoFacts)}
    )


def find_video(session: Session, sha256: str) -> Video | None:
    """Return the stored video with this content, if there is one."""
    return session.scalar(select(Video).where(Video.sha256 == sha256))


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
    # An upload of the same content may be adding a job now: wait for it, then look.
    session.execute(select(Video.id).where(Video.id == video_id).with_for_update())
    statement = (
        delete(Video)
        .where(Video.id == video_id, ~exists().where(Job.video_id == Video.id))
        .returning(Video.id)
    )
    return session.scalar(statement) is not None
