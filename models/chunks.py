"""Chunks: runs of windows, or of other steps, leased to one owner at a time.

An owner's token fences every write: whoever froze past its lease and wakes up again finds the token
gone and writes nothing. `attempts` counts claims since a window was last stored, so a window that
kills whoever touches it ends its job after MAX_ATTEMPTS instead of going round for ever. The first
counts with the claim; a later one, a suspect's, with begin_attempt(), when it has its worker to
itself: who merely waited beside the culprit loses none.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, bindparam, case, exists, insert, select, update
from sqlalchemy.orm import Session

from models import additions, jobs
from models.clock import now_ms
from models.errors import FAILURES, AppError, NotFound, WorkerLost
from models.owners import is_gone
from models.segments import LATER_COLUMNS
from models.tables import Chunk, Job, JobState, Segment, Stage

MAX_ATTEMPTS = 3

_STEPS: dict[int, str] = {Stage.SPEECH: "piece of the sound", Stage.WINDOWS: "window"}


class LeaseLost(Exception):
    """The chunk has another owner, or none: what was worked out for it is not wanted."""


def lease_ms(lease_seconds: int, sweep_seconds: int) -> int:
    """Return how long to lease for, so that the sweep has noticed after `lease_seconds` at the latest.

    Where it sweeps so seldom that little would be left, half: live owners need time to renew.
    """
    return max(1000 * (lease_seconds - sweep_seconds), 500 * lease_seconds)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do steps [cursor, stop) of a job's stage, while the lease is renewed."""

    chunk_id: int
    job_id: str
    owner: str
    stage: int
    first: int
    cursor: int
    stop: int
    attempts: int  # this one counted

    @property
    def is_suspect(self) -> bool:
        """Tell whether the last attempt stored nothing; this one counts from begin_attempt() on."""
        return self.attempts > 1


def claim_chunk(
    session: Session, job_id: str, epoch: int, owner: str, lease_ms: int
) -> Claim | None:
    """Follow a hint: lease the first free chunk of the job, or of one that goes before it.

    None: the hint is void, or nothing is free (done, paused, cancelled, or all in live hands).
    """
    job = session.get(Job, job_id)
    if job is None or job.hint_epoch != epoch:
        return None
    chunk_id = _free_chunk(session, _job_to_serve(session, job)) or _free_chunk(session, job_id)
    if chunk_id is None:
        return None
    row = session.execute(
        _TAKE, {"chunk_id": chunk_id, "holder": owner, "until_ms": now_ms() + lease_ms}
    ).one_or_none()
    if row is None:
        return None
    claim = Claim(
        *(chunk_id, row.job_id, owner, row.stage),
        *(row.first, row.cursor, row.stop, row.attempts),
    )
    if claim.is_suspect:
        session.execute(_COUNT, {**_held_by(claim), "counted": claim.attempts - 1})
    jobs.begin(session, row.job_id)
    return claim


def begin_attempt(session: Session, claim: Claim) -> None:
    """Count a suspect's attempt, which begins now. Raises LeaseLost."""
    counted = {**_held_by(claim), "counted": claim.attempts}
    if session.execute(_COUNT, counted).rowcount == 0:  # type: ignore[attr-defined]
        raise LeaseLost


def _held_by(claim: Claim) -> dict[str, int | str]:
    return {"chunk_id": claim.chunk_id, "holder": claim.owner}


def _is_free() -> ColumnElement[bool]:
    """Tell whether a chunk can be taken; its job stands in the same query."""
    return Chunk.owner.is_(None) & (Chunk.cursor < Chunk.stop) & (Chunk.stage == Job.stage)


def _is_open() -> ColumnElement[bool]:
    return Job.state.in_((JobState.QUEUED, JobState.RUNNING))


# What each chunk and each window needs is built once, and writes to plain tables: to build a statement
# takes SQLAlchemy longer than to run it.
_CHUNKS = Chunk.metadata.tables["chunks"]
_SEGMENTS = Segment.metadata.tables["segments"]
_SEGMENT_COLUMNS = tuple(
    column.name for column in _SEGMENTS.columns if column.name not in LATER_COLUMNS
)

_JOB_TO_SERVE = (
    select(Job.id)
    .where(
        Job.priority >= bindparam("priority"),
        Job.commentator == bindparam("commentator"),
        _is_open(),
        exists().where(Chunk.job_id == Job.id, _is_free()),
    )
    .order_by(Job.priority.desc(), Job.hinted_ms, Job.created_ms)
    .limit(1)
)
_ANY_FREE = (
    select(Chunk.id)
    .join(Job, Job.id == Chunk.job_id)
    .where(Chunk.job_id == bindparam("job_id"), _is_free(), _is_open())
    .limit(1)
)
_FIRST_FREE = _ANY_FREE.order_by(Chunk.first).with_for_update(of=Chunk, skip_locked=True)
_TAKE = (
    update(_CHUNKS)
    .where(_CHUNKS.c.id == bindparam("chunk_id"), _CHUNKS.c.owner.is_(None))
    .values(
        owner=bindparam("holder"),
        lease_until_ms=bindparam("until_ms"),
        attempts=_CHUNKS.c.attempts + 1,
        partial_text=None,
    )
    .returning(
        *(_CHUNKS.c[name] for name in ("job_id", "stage", "first", "cursor", "stop", "attempts"))
    )
)
_HELD = (_CHUNKS.c.id == bindparam("chunk_id")) & (_CHUNKS.c.owner == bindparam("holder"))
_MOVE_CURSOR = (
    update(_CHUNKS)
    .where(_HELD, _CHUNKS.c.cursor == bindparam("index"))
    .values(
        cursor=_CHUNKS.c.cursor + 1,
        lease_until_ms=bindparam("until_ms"),
        attempts=1,
        failure_kind=None,
        failure_text=None,
        partial_text=None,
    )
    .returning(select(_is_open()).where(Job.id == _CHUNKS.c.job_id).scalar_subquery())
)
_CURSOR = select(_CHUNKS.c.cursor).where(_HELD)
_COUNT = update(_CHUNKS).where(_HELD).values(attempts=bindparam("counted"))
_UNTOUCHED = case(  # attempts without the claim's: it counts only while no window was stored
    (_CHUNKS.c.cursor == bindparam("begun_at"), bindparam("before", type_=Integer)), else_=0
)
_LET_GO = (
    update(_CHUNKS)
    .where(_HELD)
    .values(owner=None, lease_until_ms=None, partial_text=None, attempts=_UNTOUCHED)
)
_LET_EXPIRE = update(_CHUNKS).where(_HELD).values(lease_until_ms=0)
_ADD_SEGMENT = insert(_SEGMENTS)
_IS_JOB_OPEN = select(_is_open()).where(Job.id == bindparam("job_id"))


def _job_to_serve(session: Session, job: Job) -> str | None:
    """Return the most urgent job; of equally urgent ones, that which was not served for longest.

    So jobs take turns, however many hints of one of them stand before those of the others.
    """
    about = {"priority": job.priority, "commentator": job.commentator}
    return session.scalar(_JOB_TO_SERVE, about)


def _free_chunk(session: Session, job_id: str | None) -> int | None:
    return None if job_id is None else session.scalar(_FIRST_FREE, {"job_id": job_id})


def store_segment(session: Session, claim: Claim, segment: Segment, lease_ms: int) -> bool:
    """Store a window's segment: a step, see store_step()."""
    row = {c: getattr(segment, c) for c in _SEGMENT_COLUMNS}
    return store_step(
        session, claim, segment.index, lease_ms, lambda: session.execute(_ADD_SEGMENT, row)
    )


def store_step(
    session: Session, claim: Claim, step: int, lease_ms: int, write: Callable[[], object]
) -> bool:
    """Move the cursor past a step, and write what it made; True while the job wants more.

    Raises LeaseLost. With the last one the job goes on to its next stage, or ends as done, in the
    same transaction.
    """
    moved = session.execute(
        _MOVE_CURSOR,
        {
            "chunk_id": claim.chunk_id,
            "holder": claim.owner,
            "index": step,
            "until_ms": now_ms() + lease_ms,
        },
    ).one_or_none()
    if moved is None:
        raise LeaseLost
    write()
    if step + 1 < claim.stop:
        return bool(moved[0])
    jobs.finish_if_complete(session, claim.job_id)
    return is_job_open(session, claim.job_id)


def is_job_open(session: Session, job_id: str) -> bool:
    """Tell whether the job still wants its windows commented."""
    return session.scalar(_IS_JOB_OPEN, {"job_id": job_id}) or False


def is_stored(session: Session, claim: Claim, step: int) -> bool:
    """Tell whether the owner has stored this step and still holds the chunk."""
    cursor = session.scalar(_CURSOR, {"chunk_id": claim.chunk_id, "holder": claim.owner})
    return cursor is not None and cursor > step


def has_moved_on(session: Session, claim: Claim) -> bool:
    """Tell whether the job has come to another stage than the chunk's, with work of its own."""
    stage = session.scalar(select(Job.stage).where(Job.id == claim.job_id))
    return stage != claim.stage and has_free_chunk(session, claim.job_id)


def has_free_chunk(session: Session, job_id: str) -> bool:
    """Tell whether a hint for this job would find work."""
    return session.scalar(_ANY_FREE, {"job_id": job_id}) is not None


def release(session: Session, claim: Claim) -> None:
    """Give the chunk back in good order: the attempt doesn't count."""
    session.execute(_LET_GO, {**_held_by(claim), **_before(claim)})


def let_expire(session: Session, claim: Claim, failure: AppError | None) -> None:
    """End the lease before its time: the sweep gives the chunk, and a hint, to somebody else.

    With a failure the attempt counts, and it is told should that have been the last one.
    """
    ending = _LET_EXPIRE
    if failure is None:
        ending = ending.values(attempts=_UNTOUCHED)
    else:
        ending = ending.values(failure_kind=failure.kind, failure_text=str(failure))
    session.execute(ending, {**_held_by(claim), **({} if failure else _before(claim))})


def _before(claim: Claim) -> dict[str, int]:
    return {"begun_at": claim.cursor, "before": claim.attempts - 1}


def release_failed(session: Session, claim: Claim, failure: AppError, *, final: bool) -> bool:
    """Give the chunk back after an error; the last attempt, or a final error, fails the job.

    Returns whether the chunk may be tried again. Raises LeaseLost.
    """
    kind = additions.kind_of(claim.stage)
    if kind is not None:  # who fails for the last time drops all of an addition's chunks
        additions.lock_chunks(session, claim.job_id, kind)
    row = session.execute(
        update(Chunk)
        .where(Chunk.id == claim.chunk_id, Chunk.owner == claim.owner)
        .values(
            owner=None,
            lease_until_ms=None,
            partial_text=None,
            attempts=case((Chunk.cursor == claim.cursor, claim.attempts), else_=Chunk.attempts),
            failure_kind=failure.kind,
            failure_text=str(failure),
        )
        .returning(Chunk.attempts, Chunk.cursor)
    ).one_or_none()
    if row is None:
        raise LeaseLost
    if not final and row.attempts < MAX_ATTEMPTS:
        return True
    jobs.fail(session, claim.job_id, failure, row.cursor, claim.stage)
    return False


def renew_leases(session: Session, owners: Sequence[str], lease_ms: int) -> None:
    """Keep the chunks of owners that are alive."""
    held = session.scalars(
        select(Chunk.id).where(Chunk.owner.in_(owners)).order_by(Chunk.id).with_for_update()
    ).all()
    session.execute(
        update(Chunk).where(Chunk.id.in_(held)).values(lease_until_ms=now_ms() + lease_ms)
    )


def owners_alive(session: Session, owners: Collection[str]) -> set[str]:
    """Return those of the owners that still hold their chunk: the others' words are not wanted."""
    alive = session.scalars(select(Chunk.owner).where(Chunk.owner.in_(owners)))
    return {owner for owner in alive if owner}


def write_partial(session: Session, texts: Mapping[str, tuple[int, str]]) -> None:
    """Keep what owners have written so far: owner → (window, text). Chunks that moved on are left alone."""
    if not texts:
        return
    rows = session.scalars(
        select(Chunk)
        .where(Chunk.owner.in_(texts))
        .with_for_update(skip_locked=True)  # whoever holds it is ending the window
    ).all()
    for chunk in rows:
        window, text = texts[chunk.owner or ""]
        if chunk.cursor == window:
            chunk.partial_text = text or None


@dataclass(frozen=True, slots=True)
class Expired:
    """Chunks taken back: how many in all, and how many of each job are to be done again."""

    count: int
    to_do: Counter[str]


def free_expired(session: Session) -> Expired:
    """Take back the chunks of owners that are silent or gone.

    The owner's hint went with it: the caller sends one for each chunk that is to be done again.
    """
    held = session.scalars(select(Chunk.owner).where(Chunk.owner.is_not(None)))
    gone = [owner for owner in held if owner and is_gone(owner)]
    abandoned = session.scalars(
        select(Chunk)
        .where((Chunk.lease_until_ms < now_ms()) | Chunk.owner.in_(gone))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    freed: Counter[str] = Counter()
    for chunk in abandoned:
        chunk.owner = chunk.lease_until_ms = chunk.partial_text = None
        if chunk.cursor < chunk.stop and chunk.attempts >= MAX_ATTEMPTS:
            session.flush()
            jobs.fail(session, chunk.job_id, _last_failure(chunk), chunk.cursor, chunk.stage)
        elif chunk.cursor < chunk.stop:
            freed[chunk.job_id] += 1
    return Expired(len(abandoned), freed)


def _last_failure(chunk: Chunk) -> AppError:
    if chunk.failure_kind is not None:
        return FAILURES[chunk.failure_kind](chunk.failure_text)
    return WorkerLost(
        f"The worker ended {chunk.attempts} times while it was at this {_STEPS.get(chunk.stage, 'passage')}; something in the video or "
        "on the worker's machine brings it down. See the worker's log, then retry."
    )


def jobs_without_hints(session: Session, *, idle_ms: int) -> Sequence[Job]:
    """Return open jobs with free chunks on which nothing has happened for `idle_ms`."""
    return session.scalars(
        select(Job)
        .where(
            _is_open(),
            Job.hinted_ms < now_ms() - idle_ms,
            exists().where(Chunk.job_id == Job.id, _is_free()),
        )
        .order_by(Job.priority.desc(), Job.created_ms)
        .with_for_update(of=Job, skip_locked=True, key_share=True)
    ).all()


def finish_stuck(session: Session) -> None:
    """Let open jobs go on that miss nothing in their stage."""
    stuck = (
        select(Job.id)
        .where(
            _is_open(),
            ~exists().where(
                Chunk.job_id == Job.id, Chunk.stage == Job.stage, Chunk.cursor < Chunk.stop
            ),
        )
        .order_by(Job.id)  # two sweeps lock them in one order
    )
    for job_id in session.scalars(stuck).all():
        with suppress(NotFound):  # deleted meanwhile
            jobs.finish_if_complete(session, job_id)
