"""Rows that tests start from."""

from dataclasses import replace

from sqlalchemy.orm import Session

from models import chunks, jobs
from models.chunks import Claim
from models.clock import now_ms
from models.facts import VideoFacts
from models.ids import new_id
from models.parameters import Parameters, parse_parameters
from models.tables import CommentKind, Job, Segment
from models.videos import add_video
from settings import Settings

LEASE_MS = 30_000

FACTS = VideoFacts(
    container="mov,mp4,m4a,3gp,3g2,mj2",
    codec="h264",
    stream_index=0,
    width=640,
    height=360,
    time_base="1/1000",
    origin_pts=0,
    last_pts=39_960,
    end_pts=40_000,
    frame_count=1000,
    has_audio=False,
    mime_type="video/mp4",
    warnings=[],
)


def default_parameters() -> Parameters:
    return parse_parameters({}, Settings())


def make_job(
    session: Session,
    *,
    seconds: int = 40,
    chunk_windows: int = 4,
    priority: int = 0,
    has_audio: bool = False,
) -> Job:
    """Queue a made-up video of `seconds`, in windows of 4 s."""
    facts = replace(
        FACTS, last_pts=seconds * 1000 - 40, end_pts=seconds * 1000, has_audio=has_audio
    )
    video = add_video(session, new_id(), new_id() * 4, 1000, facts)
    return jobs.create_job(
        session,
        video,
        "clip.mp4",
        default_parameters(),
        chunk_windows=chunk_windows,
        priority=priority,
    )


def claim(session: Session, job: Job, owner: str = "", lease_ms: int = LEASE_MS) -> Claim | None:
    session.flush()
    session.refresh(job)
    return chunks.claim_chunk(session, job.id, job.hint_epoch, owner or new_id(), lease_ms)


def segment(job_id: str, index: int, text: str = "At least 1 person.") -> Segment:
    return Segment(
        job_id=job_id,
        index=index,
        start_ms=index * 4000,
        end_ms=index * 4000 + 4000,
        kind=CommentKind.SAID,
        text=text,
        frame_pts=[index * 4000],
        waiting_ms=1.0,
        decode_ms=2.0,
        vision_ms=3.0,
        prefill_ms=0.0,
        generate_ms=0.5,
        total_ms=6.5,
        created_ms=now_ms(),
    )
