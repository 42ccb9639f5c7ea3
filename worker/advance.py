"""Follows one hint: comments one chunk of a job, window by window, each stored on its own."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from models import chunks
from models.chunks import Claim, LeaseLost
from models.clock import now_ms
from models.errors import (
    AppError,
    BadFile,
    InternalError,
    NoVideo,
    OutOfMemory,
    StoreBusy,
    TooLarge,
    Unsupported,
)
from models.jobs import get_job
from models.media import Media
from models.parameters import Parameters
from models.segments import last_said
from models.store import Store
from models.tables import CommentKind, Job, Segment, Video, new_id
from models.windows import WindowPlan, milliseconds
from worker.commentator import Comment, Commentator, Frame, Prompt, Window
from worker.guard import clean
from worker.keeper import Keeper
from worker.quarantine import Quarantine
from worker.stills import encode_still
from worker.video.decoder import Clock, Decoder, Sampled

log = logging.getLogger(__name__)

_FINAL = (BadFile, NoVideo, Unsupported, TooLarge)  # another attempt would end the same way
_STORE_PATIENCE_S = 60.0  # how long a finished window waits for a store that is away


@dataclass(frozen=True, slots=True)
class Site:
    """What the threads of a worker process share."""

    store: Store
    media: Media
    commentator: Commentator
    keeper: Keeper
    lease_ms: int
    window_timeout_s: float
    quarantine: Quarantine = field(default_factory=Quarantine)
    draining: threading.Event = field(default_factory=threading.Event)
    local: threading.local = field(default_factory=threading.local)

    def decoder(self) -> Decoder:
        """Return this thread's decoder; its child process starts with the first file."""
        if not hasattr(self.local, "decoder"):
            self.local.decoder = Decoder(self.window_timeout_s)
        decoder: Decoder = self.local.decoder
        return decoder


def advance(site: Site, job_id: str, epoch: int) -> bool:
    """Comment the next free chunk of a job, or of a more urgent one.

    Returns whether the hint should go on: something was done, and the job has more to do.
    """
    try:
        claim = _claim(site, job_id, epoch)
        if claim is None:
            return False
        with site.keeper.hold(claim):
            _comment_chunk(site, claim)
        with site.store.read() as session:
            return chunks.has_free_chunk(session, job_id)
    except LeaseLost:
        log.info("chunk taken away job_id=%s", job_id)
    except StoreBusy as error:
        log.error(
            "store is away, the sweep brings the work back job_id=%s reason=%s", job_id, error
        )
    return False


def _claim(site: Site, job_id: str, epoch: int) -> Claim | None:
    owner = f"{socket.gethostname()[:40]}-{os.getpid()}-{new_id()}"
    with site.store.write() as session:
        claim = chunks.claim_chunk(session, job_id, epoch, owner, site.lease_ms)
    if claim is not None:
        log.info("chunk begins job_id=%s windows=%d-%d", claim.job_id, claim.cursor, claim.stop - 1)
    return claim


def _comment_chunk(site: Site, claim: Claim) -> None:
    """Comment until the chunk is finished, the job wants no more or the worker drains; then let go."""
    try:
        for segment in _comment_windows(site, claim):
            wanted = _store_patiently(site, claim, segment)
            if not wanted or site.draining.is_set():
                break
    except (LeaseLost, StoreBusy):
        raise
    except AppError as failure:
        _give_back_failed(site, claim, failure, final=isinstance(failure, _FINAL))
    except MemoryError:
        exhausted = OutOfMemory("The worker ran out of memory at this window.")
        _give_back_failed(site, claim, exhausted, final=False)
    except Exception as error:
        bug = InternalError(
            f"Reelnotes failed at this window ({type(error).__name__}): a bug of ours."
        )
        _give_back_failed(site, claim, bug, final=False)
        raise
    else:
        with site.store.write() as session:
            chunks.release(session, claim)


def _give_back_failed(site: Site, claim: Claim, failure: AppError, *, final: bool) -> None:
    log.warning("chunk fails job_id=%s kind=%s reason=%s", claim.job_id, failure.kind, failure)
    with site.store.write() as session:
        chunks.release_failed(session, claim, failure, final=final)


def _store_patiently(site: Site, claim: Claim, segment: Segment) -> bool:
    """Store a segment, also through a restart of the store: what was worked out isn't thrown away."""
    deadline = time.monotonic() + _STORE_PATIENCE_S
    while True:
        try:
            with site.store.write() as session:
                return chunks.store_segment(session, claim, segment, site.lease_ms)
        except StoreBusy as error:
            if time.monotonic() > deadline or site.draining.is_set():
                raise
            log.warning("segment waits for the store job_id=%s reason=%s", claim.job_id, error)
            time.sleep(1.0)


def _comment_windows(site: Site, claim: Claim) -> Iterator[Segment]:
    """Yield the segment of each window of the chunk, in order."""
    with site.store.read() as session:
        job = get_job(session, claim.job_id)
        previous = _restore(last_said(session, claim.job_id, claim.first, claim.cursor))
    parameters = Parameters.from_json(job.parameters)
    prompt = Prompt(max_new_tokens=parameters.max_new_tokens)
    seen: tuple[Frame, ...] = ()  # of the last window that was looked at
    suspect = claim.attempts > 1
    for window, sampled, begun in _windows(site, claim, job, parameters):
        waited = time.monotonic() - begun
        if not window.frames:
            comment = Comment(
                CommentKind.EMPTY, reason="No picture of this stretch could be decoded."
            )
        elif seen and _difference(seen[-1], window.frames) < parameters.change_threshold:
            comment = Comment(CommentKind.UNCHANGED)
        else:
            with site.quarantine.window(suspect=suspect), site.keeper.watch_call(claim):
                comment = site.commentator.comment(window, prompt, previous)
            seen = window.frames
        suspect = False
        if comment.kind == CommentKind.SAID:
            previous = comment
        if window.frames:
            _store_still(site, claim, window)
        yield _segment(claim, window, sampled, comment, waited, time.monotonic() - begun)


def _store_still(site: Site, claim: Claim, window: Window) -> None:
    """Keep the window's first picture for the page; a disk without room costs the picture only."""
    try:
        jpeg = encode_still(window.frames[0].picture)
        site.media.store_still(claim.job_id, window.index, jpeg)
    except OSError as error:
        log.warning("still not stored job_id=%s reason=%s", claim.job_id, error)


def _windows(
    site: Site, claim: Claim, job: Job, parameters: Parameters
) -> Iterator[tuple[Window, Sampled, float]]:
    """Yield each window with its frames and the moment (monotonic) from which it was waited for."""
    plan = parameters.plan(job.video)
    indexes = range(claim.cursor, claim.stop)
    samples = site.decoder().sample(
        site.media.video(job.video_id),
        _clock(job.video),
        [plan.sample_times(index) for index in indexes],
        slot=Fraction(parameters.frame_stride) / parameters.capture_fps,
        size=site.commentator.frame_size(job.video.width, job.video.height),
    )
    begun = time.monotonic()
    for index, sampled in zip(indexes, samples, strict=True):
        yield _window(plan, index, sampled), sampled, begun
        begun = time.monotonic()


def _clock(video: Video) -> Clock:
    return Clock(video.stream_index, Fraction(video.time_base), video.origin_pts, video.last_pts)


def _window(plan: WindowPlan, index: int, sampled: Sampled) -> Window:
    start, end = plan.span(index)
    return Window(index, start, end, sampled.frames)


def _restore(segment: Segment | None) -> Comment | None:
    if segment is None:
        return None
    return Comment(segment.kind, segment.text, segment.reason, segment.facts, segment.memory)


def _difference(reference: Frame, frames: tuple[Frame, ...]) -> float:
    """Return the largest mean difference (0-255) of any frame from the reference."""
    before = reference.picture.astype(np.int16)
    return max(float(np.abs(frame.picture - before).mean()) for frame in frames)


def _segment(
    claim: Claim,
    window: Window,
    sampled: Sampled,
    comment: Comment,
    waited_s: float,
    total_s: float,
) -> Segment:
    timings = comment.timings
    return Segment(
        job_id=claim.job_id,
        index=window.index,
        start_ms=milliseconds(window.start),
        end_ms=milliseconds(window.end),
        kind=comment.kind,
        text=clean(comment.text),
        reason=comment.reason,
        facts=dict(comment.facts) if comment.facts is not None else None,
        memory=dict(comment.memory) if comment.memory is not None else None,
        frame_pts=[frame.pts for frame in window.frames],
        waiting_ms=1000 * waited_s + timings.waiting_ms,
        decode_ms=sampled.decode_ms,
        vision_ms=timings.vision_ms,
        prefill_ms=timings.prefill_ms,
        generate_ms=timings.generate_ms,
        total_ms=1000 * total_s,
        tokens_in=comment.tokens_in,
        tokens_out=comment.tokens_out,
        created_ms=now_ms(),
    )
