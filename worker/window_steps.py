"""The steps of a chunk of windows: each is sampled, commented and becomes a segment."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from sqlalchemy.orm import Session

from models import chunks, utterances
from models.chunks import Claim
from models.clock import now_ms
from models.jobs import get_job
from models.parameters import Parameters
from models.segments import last_said
from models.tables import CommentKind, Job, Segment, Utterance, Video
from models.windows import WindowPlan, milliseconds
from worker.commentator import Comment, Frame, Prompt, Window
from worker.guard import clean
from worker.site import Site
from worker.step import Step
from worker.stills import encode_still
from worker.video.decoder import Clock, Sampled


def window_steps(site: Site, claim: Claim) -> Iterator[Step]:
    """Yield a step for each window of the chunk, in order."""
    with site.store.read() as session:
        job = get_job(session, claim.job_id)
        previous = _restore(last_said(session, claim.job_id, claim.first, claim.cursor))
        parameters = Parameters.from_json(job.parameters)
        spoken = (
            _spoken(session, claim, parameters.plan(job.video))
            if parameters.transcript == 2
            else ()
        )
    prompt = site.prompt(parameters)
    seen: tuple[Frame, ...] = ()  # of the last window that was looked at
    with site.attempt(claim) as alone:
        for window, sampled, begun in _windows(site, claim, job, parameters, prompt):
            if parameters.transcript == 2:
                window = replace(window, heard=utterances.heard_in(spoken, segment_span(window)))
            waited = time.monotonic() - begun
            if not window.frames:
                comment = Comment(
                    CommentKind.EMPTY, reason="No picture of this stretch could be decoded."
                )
            elif seen and _is_unchanged(seen[-1], window.frames, parameters.change_threshold):
                comment = Comment(CommentKind.UNCHANGED)
            else:
                is_alone = claim.is_suspect and window.index == claim.cursor
                with site.call(claim, window.index, is_alone=is_alone) as draft:
                    comment = site.commentator.comment(window, prompt, previous, draft)
                seen = window.frames
            alone.close()
            if comment.kind == CommentKind.SAID:
                previous = comment
            still = encode_still(window.frames[0].picture) if window.frames else None
            spent = time.monotonic() - begun
            yield _step(
                site, claim, _segment(claim, window, sampled, comment, waited, spent), still
            )


def _step(site: Site, claim: Claim, segment: Segment, still: bytes | None) -> Step:
    def store(session: Session) -> bool:
        return chunks.store_segment(session, claim, segment, site.lease_ms)

    return Step(segment.index, store, segment, still)


def _windows(
    site: Site, claim: Claim, job: Job, parameters: Parameters, prompt: Prompt
) -> Iterator[tuple[Window, Sampled, float]]:
    """Yield each window with its frames and the moment (monotonic) from which it was waited for."""
    plan = parameters.plan(job.video)
    indexes = range(claim.cursor, claim.stop)
    with site.local_video(job.video) as path:
        samples = site.sample(
            path,
            _clock(job.video),
            [plan.sample_times(index) for index in indexes],
            slot=Fraction(parameters.frame_stride) / parameters.capture_fps,
            size=site.commentator.frame_size(job.video.width, job.video.height, prompt),
        )
        begun = time.monotonic()
        for index, sampled in zip(indexes, samples, strict=True):
            yield _window(plan, index, sampled, job.video), sampled, begun
            begun = time.monotonic()


def _spoken(session: Session, claim: Claim, plan: WindowPlan) -> Sequence[Utterance]:
    """Return what is said while the chunk's windows last."""
    span = milliseconds(plan.span(claim.cursor)[0]), milliseconds(plan.span(claim.stop - 1)[1])
    return utterances.list_utterances(session, claim.job_id, span)


def _clock(video: Video) -> Clock:
    return Clock(video.stream_index, Fraction(video.time_base), video.origin_pts, video.last_pts)


def _window(plan: WindowPlan, index: int, sampled: Sampled, video: Video) -> Window:
    start, end = plan.span(index)
    return Window(index, start, end, sampled.frames, (video.width, video.height))


def segment_span(window: Window) -> tuple[int, int]:
    return milliseconds(window.start), milliseconds(window.end)


def _restore(segment: Segment | None) -> Comment | None:
    if segment is None:
        return None
    return Comment(segment.kind, segment.text, segment.reason, segment.facts, segment.memory)


def _is_unchanged(reference: Frame, frames: tuple[Frame, ...], threshold: float) -> bool:
    """Tell whether every frame's mean difference (0-255) from the reference is below the threshold."""
    if threshold == 0:
        return False
    before = reference.picture.astype(np.int16)
    return max(float(np.abs(frame.picture - before).mean()) for frame in frames) < threshold


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
