"""Jobs: what people ask for, and the states it goes through.

    queued → running → done | failed | cancelled;  queued, running ⇄ paused;  failed, cancelled → queued
    done → queued, when somebody asks for a summary or a transcript afterwards

Everybody who writes both a job and its chunks locks the chunks first, in the order of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from models import additions, webhooks
from models.clock import now_ms
from models.errors import AppError, Conflict, InvalidRequest, NotFound
from models.ids import is_id, new_id
from models.parameters import Parameters
from models.tables import (
    Addition,
    AdditionKind,
    Chunk,
    Job,
    JobState,
    Passage,
    Segment,
    Stage,
    Utterance,
    Video,
)
from models.videos import lock_video, why_removed

PRIORITIES = range(-10, 11)


@dataclass(frozen=True, slots=True)
class Hints:
    """Messages to send once the transaction has committed: "this job has work"."""

    job_id: str
    commentator: str
    epoch: int
    count: int


def create_job(
    session: Session,
    video: Video,
    filename: str,
    parameters: Parameters,
    *,
    chunk_windows: int,
    priority: int = 0,
    job_id: str | None = None,
) -> Job:
    """Queue a video, cut into chunks of `chunk_windows` windows; send_hints() follows the commit.

    Who must know afterwards whether the commit was heard says the job's id.
    """
    check_priority(priority)
    window_count = len(parameters.plan(video))
    now = now_ms()
    job = Job(
        id=job_id or new_id(),
        video=video,
        filename=filename,
        commentator=parameters.commentator,
        parameters=parameters.to_json(),
        window_count=window_count,
        priority=priority,
        created_ms=now,
        hinted_ms=now,
    )
    session.add(job)
    session.flush()
    session.execute(
        insert(Chunk),
        [
            {
                "job_id": job.id,
                "first": first,
                "stop": min(first + chunk_windows, window_count),
                "cursor": first,
                "attempts": 0,
            }
            for first in range(0, window_count, chunk_windows)
        ],
    )
    if parameters.transcript and video.has_audio:
        additions.plan(session, job, AdditionKind.TRANSCRIPT)
    if parameters.summary:
        additions.plan(session, job, AdditionKind.SUMMARY)
    job.stage = min(_stages_left(session, job.id))
    return job


def add(session: Session, job_id: str, kind: AdditionKind) -> Job:
    """Want a summary or a transcript, anew if there is one; open_hints() and send_hints() follow.

    A job that is done is queued again. Raises Conflict for one that failed or was cancelled.
    """
    get_job(session, job_id)
    additions.lock_chunks(session, job_id, kind)
    job = lock_job(session, job_id)
    if job.state in (JobState.FAILED, JobState.CANCELLED):
        raise Conflict(f"The job is {job.state}: retry it first, then ask for a {kind}.")
    if kind is AdditionKind.TRANSCRIPT:
        if not job.video.has_audio:
            raise Conflict("The video has no sound: there is nothing to write down.")
        need_media(session, job.video_id, "Its sound can't be written down.")
    additions.plan(session, job, kind)
    _come_to(job, min(_stages_left(session, job_id)))
    if job.state is JobState.DONE:
        _enter(session, job, JobState.QUEUED)
    return job


def drop(session: Session, job_id: str, kind: AdditionKind) -> Job:
    """Remove a summary or a transcript, or end its making: then the one before is there again.

    Raises NotFound if there is none.
    """
    addition = additions.get_addition(session, get_job(session, job_id).id, kind)
    if addition.finished_ms is None:
        additions.end_making(session, job_id, addition)
    else:
        additions.forget(session, job_id, kind)
    finish_if_complete(session, job_id)
    return get_job(session, job_id)


def get_job(session: Session, job_id: str) -> Job:
    job = session.get(Job, job_id) if is_id(job_id) else None
    if job is None:
        raise NotFound(f"There is no job {job_id[:40]!r}; it may have been deleted.")
    return job


def open_hints(session: Session, job: Job, parallelism: int) -> Hints:
    """Void the hints that are about and return new ones, at most one for each unfinished chunk."""
    unfinished = session.scalar(
        select(func.count())
        .select_from(Chunk)
        .where(Chunk.job_id == job.id, Chunk.stage == job.stage, Chunk.cursor < Chunk.stop)
    )
    job.hint_epoch += 1
    job.hinted_ms = now_ms()
    session.flush()
    return Hints(job.id, job.commentator, job.hint_epoch, min(unfinished or 0, parallelism))


def cancel(session: Session, job_id: str) -> Job:
    """End a job; what is under way is fenced off and written nowhere.

    One whose commentary is complete is done: only what was to be added to it is given up.
    """
    get_job(session, job_id)
    _lock_unfinished(session, job_id)
    session.execute(
        update(Chunk)
        .where(Chunk.job_id == job_id, Chunk.cursor < Chunk.stop)
        .values(owner=None, lease_until_ms=None, partial_text=None)
    )
    job = lock_job(session, job_id)
    _allow(job, "cancelled", JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
    if _misses_windows(session, job_id):
        _enter(session, job, JobState.CANCELLED)
    else:
        additions.end_unfinished(session, job_id)
        _enter(session, job, JobState.DONE)
    return job


def pause(session: Session, job_id: str) -> Job:
    """Let the windows under way finish and begin no more."""
    job = lock_job(session, job_id)
    _allow(job, "paused", JobState.QUEUED, JobState.RUNNING)
    _enter(session, job, JobState.PAUSED)
    return job


def resume(session: Session, job_id: str) -> Job:
    """Queue a paused job again; it goes on where it stopped."""
    job = lock_job(session, job_id)
    _allow(job, "resumed", JobState.PAUSED)
    _enter(session, job, JobState.QUEUED)
    return job


def retry(session: Session, job_id: str) -> Job:
    """Queue a failed or cancelled job again; it goes on at its first missing window."""
    get_job(session, job_id)
    _lock_unfinished(session, job_id)
    session.execute(
        update(Chunk)
        .where(Chunk.job_id == job_id, Chunk.cursor < Chunk.stop)
        .values(attempts=0, failure_kind=None, failure_text=None)
    )
    job = lock_job(session, job_id)
    _allow(job, "retried", JobState.FAILED, JobState.CANCELLED)
    need_media(session, job.video_id, "This job can't be retried.")
    job.failure_kind = job.failure_text = job.failure_window = None
    # An addition that was removed after the job's end may have been all that its stage was of.
    job.stage = min(_stages_left(session, job_id), default=job.stage)
    _enter(session, job, JobState.QUEUED)
    return job


def need_media(session: Session, video_id: str, refusal: str) -> None:
    """Raise Conflict if a video's file was removed; it stays for a job that is opened in this transaction."""
    video = lock_video(session, video_id)
    if video is not None and (reason := why_removed(video)):
        raise Conflict(f"{refusal} {reason}")


def set_priority(session: Session, job_id: str, priority: int) -> Job:
    """Move a job before (higher) or behind (lower) others; the next free worker heeds it."""
    check_priority(priority)
    job = lock_job(session, job_id)
    job.priority = priority
    return job


def delete_job(session: Session, job_id: str) -> str:
    """Delete a job with all that was said; return the id of its video."""
    job = get_job(session, job_id)
    for table in (Chunk, Segment, Passage, Utterance, Addition):
        session.execute(delete(table).where(table.job_id == job_id))
    session.execute(delete(Job).where(Job.id == job_id))
    session.expunge(job)
    return job.video_id


_JOBS = Job.metadata.tables["jobs"]
_AT_WORK = select(func.count()).where(Chunk.job_id == bindparam("job_id"), Chunk.owner.is_not(None))
_FOLLOWED = (  # built once: a claim waits for it
    update(_JOBS).where(_JOBS.c.id == bindparam("job_id")).values(hinted_ms=bindparam("now"))
)
_STARTED = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("job_id"), _JOBS.c.state == JobState.QUEUED)
    .values(
        state=JobState.RUNNING,
        started_ms=func.coalesce(_JOBS.c.started_ms, bindparam("now", type_=BigInteger)),
        running_since_ms=case(  # speed is that of the commentary
            (_JOBS.c.stage == Stage.WINDOWS, bindparam("now", type_=BigInteger)), else_=None
        ),
    )
)


def begin(session: Session, job_id: str) -> None:
    """Note that a chunk of the job is being worked on."""
    now = now_ms()
    _forget_rest(session, job_id, now)
    session.execute(_FOLLOWED, {"job_id": job_id, "now": now})
    session.execute(_STARTED, {"job_id": job_id, "now": now})


def _forget_rest(session: Session, job_id: str, now: int) -> None:
    """End the stretch of work at its last segment if nobody has worked on the job since."""
    at_work = session.scalar(_AT_WORK, {"job_id": job_id}) or 0
    if at_work > 1:  # others than the chunk that begins now
        return
    last = session.scalar(
        select(func.max(Segment.created_ms)).where(
            Segment.job_id == job_id, Segment.taken_from.is_(None)
        )
    )
    rested_since = func.coalesce(last, Job.running_since_ms)
    worked = case(
        (rested_since > Job.running_since_ms, rested_since - Job.running_since_ms), else_=0
    )
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.running_since_ms.is_not(None))
        .values(ran_ms=Job.ran_ms + worked, running_since_ms=now)
    )


def finish_if_complete(session: Session, job_id: str) -> None:
    """Let the job go on to its next stage, or end as done. The lock keeps two last chunks from missing it."""
    job = lock_job(session, job_id)
    if job.state.ended:
        return
    additions.settle(session, job_id)
    stage = min(_stages_left(session, job_id), default=None)
    if stage is None:
        _enter(session, job, JobState.DONE)
    else:
        _come_to(job, stage)


def _come_to(job: Job, stage: int) -> None:
    """Go on, or back, to a stage: the clock runs while windows are commented."""
    if stage == job.stage:
        return
    _stop_clock(job)
    job.stage = stage
    if stage == Stage.WINDOWS and job.state is JobState.RUNNING:
        job.running_since_ms = now_ms()


def _stages_left(session: Session, job_id: str) -> Sequence[int]:
    return session.scalars(
        select(Chunk.stage).where(Chunk.job_id == job_id, Chunk.cursor < Chunk.stop).distinct()
    ).all()


def _misses_windows(session: Session, job_id: str) -> bool:
    return Stage.WINDOWS in _stages_left(session, job_id)


def note_network(session: Session, job_id: str, network: dict[str, str]) -> None:
    """Remember which network comments the job; several may, one after another."""
    job = lock_job(session, job_id)
    if network not in job.networks:
        job.networks = [*job.networks, network]


def fail(
    session: Session, job_id: str, failure: AppError, step: int, stage: int = Stage.WINDOWS
) -> None:
    """End the job as failed, unless it has ended otherwise meanwhile.

    Where only an addition failed, the job goes on without it.
    """
    kind = additions.kind_of(stage)
    if kind is not None:
        additions.give_up(session, job_id, kind, failure)
        finish_if_complete(session, job_id)
        return
    job = lock_job(session, job_id)
    if job.state.ended:
        return
    job.failure_kind, job.failure_text, job.failure_window = failure.kind, str(failure), step
    _enter(session, job, JobState.FAILED)


def _lock_unfinished(session: Session, job_id: str) -> None:
    unfinished = select(Chunk.id).where(Chunk.job_id == job_id, Chunk.cursor < Chunk.stop)
    session.execute(unfinished.order_by(Chunk.id).with_for_update()).all()


def lock_job(session: Session, job_id: str) -> Job:
    """Return the job, kept from other writers until the transaction ends."""
    job = session.scalar(
        select(Job)
        .where(Job.id == job_id)
        .with_for_update(of=Job, key_share=True)  # a segment just inserted shares the job's key
        .execution_options(populate_existing=True)
    )
    if job is None:
        raise NotFound(f"There is no job {job_id[:40]!r}; it may have been deleted.")
    return job


def _enter(session: Session, job: Job, state: JobState) -> None:
    _stop_clock(job)
    job.finished_ms = now_ms() if state.ended else None
    job.state = state
    if state.ended and not job.was_done:  # an addition's end is no end of the job's own
        webhooks.note_end(session, job)
    job.was_done = job.was_done or state is JobState.DONE


def _stop_clock(job: Job) -> None:
    """End the stretch in which windows were commented."""
    if job.running_since_ms is not None:
        job.ran_ms += max(0, now_ms() - job.running_since_ms)
        job.running_since_ms = None


def _allow(job: Job, wish: str, *states: JobState) -> None:
    if job.state not in states:
        raise Conflict(f"A job that is {job.state} can't be {wish}.")


def check_priority(priority: int) -> None:
    """Raise InvalidRequest for a priority that there isn't."""
    if priority not in PRIORITIES:
        raise InvalidRequest(
            f"Priority must be a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}, not {priority}."
        )
