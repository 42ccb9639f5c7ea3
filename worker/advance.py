"""Follows one hint: does one chunk of a job, step by step, each stored on its own."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models import chunks, jobs
from models.chunks import Claim, LeaseLost
from models.errors import (
    AppError,
    BadFile,
    CommentatorFailed,
    DiskFull,
    InternalError,
    MediaAway,
    NotFound,
    NoVideo,
    OutOfMemory,
    PromptRefused,
    StoreBusy,
    TooLarge,
    Unsupported,
)
from models.jobs import Hints, note_network
from models.owners import new_owner
from models.tables import Job, Segment, Stage
from telemetry import tracing
from worker.commentator import CommentatorLost, Unwanted
from worker.site import Site
from worker.speech.steps import speech_steps
from worker.step import Step
from worker.story import story_steps
from worker.window_steps import window_steps

log = logging.getLogger(__name__)

# Another attempt would end the same way.
_FINAL = (BadFile, NoVideo, Unsupported, TooLarge, PromptRefused)
_STORE_PATIENCE_S = 60.0  # how long a finished window waits for a store that is away


def advance(site: Site, job_id: str, epoch: int) -> list[Hints]:
    """Do the next free chunk of a job, or of a more urgent one.

    Returns the hints to send: this one goes on where something was done and the job has more to do;
    a job that has come to another stage is given new ones.
    """
    same = Hints(job_id, site.commentator.name, epoch, 1)
    if site.lost.is_set():
        return [same]
    claim = None
    begun_ns = time.time_ns()
    try:
        claim = _claim(site, job_id, epoch)
        if claim is None:
            return []
        with (
            site.keeper.hold(claim),
            site.meter.busy.track_inprogress(),
            tracing.chunk(claim.job_id, begun_ns, _chunk_facts(site, claim)),
        ):
            _do_chunk(site, claim)
        return _hints_after(site, claim, same)
    except (LeaseLost, Unwanted):
        log.info(
            "chunk taken away job_id=%s chunk_id=%s",
            *((claim.job_id, claim.chunk_id) if claim else (job_id, "")),
        )
        site.meter.chunk_lost()
    except StoreBusy as error:
        log.error(
            "store is away, the sweep brings the work back job_id=%s reason=%s", job_id, error
        )
    return []


def _hints_after(site: Site, claim: Claim, same: Hints) -> list[Hints]:
    with site.store.read() as session:
        goes_on = chunks.has_free_chunk(session, same.job_id)
        has_moved_on = chunks.has_moved_on(session, claim)
    if not has_moved_on:
        return [same] if goes_on else []
    hints = [same] if goes_on and claim.job_id != same.job_id else []
    with suppress(NotFound), site.store.write() as session:  # deleted meanwhile
        job = jobs.lock_job(session, claim.job_id)
        hints.insert(0, jobs.open_hints(session, job, site.job_parallelism))
    return hints


def _claim(site: Site, job_id: str, epoch: int) -> Claim | None:
    with site.store.write() as session:
        claim = chunks.claim_chunk(session, job_id, epoch, new_owner(), site.lease_ms)
        if claim is not None and site.commentator.network:
            note_network(session, claim.job_id, site.commentator.network)
    if claim is not None:
        log.info(
            "chunk begins job_id=%s stage=%d steps=%d-%d chunk_id=%d attempt=%d",
            *(claim.job_id, claim.stage, claim.cursor, claim.stop - 1),
            *(claim.chunk_id, claim.attempts),
        )
    return claim


def _do_chunk(site: Site, claim: Claim) -> None:
    """Do steps until the chunk is finished, the job wants no more or the worker drains; then let go."""
    try:
        for step in _steps(site, claim):
            wanted = _store_patiently(site, claim, step)
            if step.segment is not None:
                _tell_stored(site, step.segment)
            if not wanted or site.draining.is_set():
                break
    except MediaAway:  # no attempt: whatever is wrong, it isn't the video
        with site.store.write() as session:
            chunks.release(session, claim)
        raise
    except (LeaseLost, Unwanted, StoreBusy):
        raise
    except CommentatorLost as end:
        site.lost.set()
        lost = CommentatorFailed(f"{end} Its worker started again; if that goes on, see its log.")
        _give_back_failed(site, claim, lost, final=False)
    except AppError as failure:
        _give_back_failed(site, claim, failure, final=isinstance(failure, _FINAL))
    except MemoryError:
        exhausted = OutOfMemory(f"The worker ran out of memory at this {_noun(claim)}.")
        _give_back_failed(site, claim, exhausted, final=False)
    except Exception as error:
        bug = InternalError(
            f"Reelnotes failed at this {_noun(claim)} ({type(error).__name__}): a bug of ours."
        )
        _give_back_failed(site, claim, bug, final=False)
        raise
    else:
        with site.store.write() as session:
            chunks.release(session, claim)
            job = session.get(Job, claim.job_id)
        site.meter.chunk_released()
        log.info(
            "chunk ends job_id=%s chunk_id=%d job_state=%s",
            *(claim.job_id, claim.chunk_id, job.state if job else "deleted"),
        )


def _noun(claim: Claim) -> str:
    """Name a step of the chunk as people know it."""
    return {Stage.WINDOWS: "window", Stage.SPEECH: "piece of the sound"}.get(
        Stage(min(claim.stage, Stage.PASSAGES)), "part of the summary"
    )


def _steps(site: Site, claim: Claim) -> Iterator[Step]:
    if claim.stage == Stage.WINDOWS:
        return window_steps(site, claim)
    if claim.stage == Stage.SPEECH:
        return speech_steps(site, claim)
    return story_steps(site, claim)


def _give_back_failed(site: Site, claim: Claim, failure: AppError, *, final: bool) -> None:
    log.warning(
        "chunk fails job_id=%s chunk_id=%d kind=%s reason=%s",
        *(claim.job_id, claim.chunk_id, failure.kind, failure),
    )
    tracing.note_failure(failure.kind)
    with site.store.write() as session:
        chunks.release_failed(session, claim, failure, final=final)
    site.meter.chunk_failed(failure.kind)


def _tell_stored(site: Site, segment: Segment) -> None:
    site.meter.window_stored(segment)
    tracing.window(
        commented_ns=segment.created_ms * 1_000_000,
        total_ms=segment.total_ms,
        stages_ms={stage: getattr(segment, f"{stage}_ms") for stage in tracing.STAGES},
        facts={
            "reelnotes.window": segment.index,
            "reelnotes.kind": str(segment.kind),
            "reelnotes.tokens_in": segment.tokens_in,
            "reelnotes.tokens_out": segment.tokens_out,
        },
    )


def _chunk_facts(site: Site, claim: Claim) -> dict[str, str | int]:
    return {
        "reelnotes.commentator": site.commentator.name,
        "reelnotes.chunk": claim.chunk_id,
        "reelnotes.stage": claim.stage,
        "reelnotes.windows": f"{claim.cursor}-{claim.stop - 1}",
        "reelnotes.attempt": claim.attempts,
    }


def _store_patiently(site: Site, claim: Claim, step: Step) -> bool:
    """Store a step, also through a restart of the store: what was worked out isn't thrown away.

    A full disk is waited for as long as it takes: nobody else can write there either. Where object
    storage stays away, the segment is stored without its picture in the end.
    """
    deadline = time.monotonic() + _STORE_PATIENCE_S
    still, was_tried = step.still, False
    while True:
        try:
            with _drafted(site, claim, still) as draft:
                return _store_once(site, claim, step, draft, was_tried=was_tried)
        except StoreBusy as error:
            was_tried = True
            given_up = time.monotonic() > deadline or site.draining.is_set()
            if given_up and still is not None and isinstance(error, MediaAway):
                log.warning(
                    "still not stored job_id=%s chunk_id=%d reason=%s",
                    *(claim.job_id, claim.chunk_id, error),
                )
                still = None
                continue
            if site.draining.is_set() or (given_up and not isinstance(error, DiskFull)):
                raise
            log.warning(
                "step waits for the store job_id=%s chunk_id=%d step=%d reason=%s",
                *(claim.job_id, claim.chunk_id, step.number, error),
            )
            time.sleep(1.0)


def _store_once(
    site: Site, claim: Claim, step: Step, draft: Path | None, *, was_tried: bool
) -> bool:
    """Store a step, unless an earlier try did whose answer was lost with the connection."""
    with site.store.write() as session:
        if was_tried and chunks.is_stored(session, claim, step.number):
            return chunks.is_job_open(session, claim.job_id)
        wanted = step.store(session)
        if draft is not None:  # fenced as the row is: who has lost the chunk changes no picture
            with _only_the_picture(claim):
                site.media.keep_still(draft, claim.job_id, step.number)
        return wanted


@contextmanager
def _drafted(site: Site, claim: Claim, still: bytes | None) -> Iterator[Path | None]:
    """Yield a file with the still, for the window's page; None if there is none."""
    draft = None
    if still is not None:
        with _only_the_picture(claim):
            draft = site.media.scratch.draft(still)
    try:
        yield draft
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


@contextmanager
def _only_the_picture(claim: Claim) -> Iterator[None]:
    """Let a disk without room cost the picture only; object storage that is away is waited for."""
    try:
        yield
    except MediaAway:
        raise
    except (OSError, StoreBusy) as error:
        log.warning(
            "still not stored job_id=%s chunk_id=%d reason=%s",
            *(claim.job_id, claim.chunk_id, error),
        )
