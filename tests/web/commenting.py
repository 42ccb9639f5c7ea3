"""Comments a job's windows as a worker would: claims, segments and stills, with words from the test."""

from io import BytesIO

from PIL import Image, ImageDraw

from models import chunks, jobs, videos
from models.chunks import Claim
from models.clock import now_ms
from models.errors import AppError
from models.ids import new_id
from models.media import Media
from models.parameters import Parameters
from models.store import Store
from models.tables import CommentKind, Job, Segment
from models.windows import milliseconds

LEASE_MS = 30_000


def comment_windows(store: Store, media: Media, job_id: str, count: int, text: str = "") -> int:
    """Comment up to `count` windows, chunk after chunk; return how many there were to do."""
    done = 0
    while done < count and (claim := claim_next(store, job_id)) is not None:
        stop = min(claim.stop, claim.cursor + count - done)
        for index in range(claim.cursor, stop):
            store_comment(store, media, claim, index, text)
            done += 1
        with store.write() as session:
            chunks.release(session, claim)
    return done


def claim_next(store: Store, job_id: str) -> Claim | None:
    """Claim for this very job: it is the one that was not served for longest."""
    with store.write() as session:
        job = jobs.get_job(session, job_id)
        job.hinted_ms = 0
        session.flush()
        return chunks.claim_chunk(session, job_id, job.hint_epoch, new_id(), LEASE_MS)


def store_comment(store: Store, media: Media, claim: Claim, index: int, text: str = "") -> None:
    media.keep_still(media.scratch.draft(still_of(index)), claim.job_id, index)
    with store.write() as session:
        job = jobs.get_job(session, claim.job_id)
        chunks.store_segment(session, claim, segment_of(job, index, text), LEASE_MS)


def fail_next(store: Store, job_id: str, failure: AppError) -> None:
    """Let the job fail at its next window."""
    claim = claim_next(store, job_id)
    assert claim is not None
    with store.write() as session:
        chunks.release_failed(session, claim, failure, final=True)


def remove_video(store: Store, job_id: str) -> None:
    """Have the job's video removed as retention does it: the job must have ended."""
    with store.write() as session:
        video_id = jobs.get_job(session, job_id).video_id
        assert videos.note_removal(session, video_id, ended_before_ms=now_ms() + 1)


def segment_of(job: Job, index: int, text: str) -> Segment:
    start, end = Parameters.from_json(job.parameters).plan(job.video).span(index)
    kind = _kind(index)
    return Segment(
        job_id=job.id,
        index=index,
        start_ms=milliseconds(start),
        end_ms=milliseconds(end),
        kind=kind,
        text=(text or _SAYINGS[index % len(_SAYINGS)]) if kind is CommentKind.SAID else "",
        reason="The picture is black." if kind is CommentKind.EMPTY else None,
        facts={"objects": {"person": 1}},
        frame_pts=[job.video.origin_pts],
        waiting_ms=3.5 + index % 3,
        decode_ms=20.25 + index * 7 % 30,
        vision_ms=60.0 + index * 13 % 50,
        prefill_ms=0.0,
        generate_ms=1.5,
        total_ms=90.0 + index * 20 % 80,
        tokens_in=None,
        tokens_out=7,
        created_ms=now_ms(),
    )


def _kind(index: int) -> CommentKind:
    """Let every fourth window bring nothing new, and the one after it nothing at all."""
    if index % 4 == 2:
        return CommentKind.UNCHANGED
    return CommentKind.EMPTY if index % 8 == 3 else CommentKind.SAID


_SAYINGS = (
    "At least 1 person and at least 3 bottles; the picture is still.",
    "At least 1 person has come; something moves at the left.",
    "At least 1 dog has come.",
    "A cut. On-screen text: “READY – 12:45”.",
    "At least 2 bottles; fewer than before.",
)


def still_of(index: int) -> bytes:
    picture = Image.new("RGB", (320, 180), (30, 40, 70))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((20 + index * 12 % 220, 50, 80 + index * 12 % 220, 130), fill=(240, 190, 60))
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG")
    return jpeg.getvalue()
