"""The steps in which speech is written down: a piece of the sound at a time, cut where it is quiet."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from sqlalchemy.orm import Session

from models import chunks, utterances
from models.additions import PIECE_MS, piece_count
from models.chunks import Claim
from models.errors import CommentatorFailed
from models.facts import duration_ms
from models.jobs import get_job
from models.parameters import NO_TRANSCRIBER
from models.tables import Job, Utterance
from worker.guard import clean
from worker.loops import find_loop
from worker.site import Site
from worker.speech.transcriber import Heard, Transcript
from worker.step import Step
from worker.video.hearing import RATE, Samples

REACH_MS = 8000  # a piece is cut at the quietest moment so near to its place
_LULL = RATE // 4  # samples over which quiet is measured
_HOP = RATE // 20


def speech_steps(site: Site, claim: Claim) -> Iterator[Step]:
    """Yield the steps of a chunk of stage SPEECH."""
    for piece in range(claim.cursor, claim.stop):
        yield _piece_step(site, claim, piece)


def _piece_step(site: Site, claim: Claim, piece: int) -> Step:
    with site.store.read() as session:
        job = get_job(session, claim.job_id)
    if site.transcriber is None:
        raise CommentatorFailed(NO_TRANSCRIBER)
    sound, start_ms = _piece(site, job, piece)
    with site.attempt(claim), site.call(claim, piece, is_alone=claim.is_suspect):
        transcript = site.transcriber.transcribe(sound)
    rows = rows_of(job.id, piece, start_ms, len(sound), transcript)

    def store(session: Session) -> bool:
        return chunks.store_step(
            session,
            claim,
            piece,
            site.lease_ms,
            lambda: utterances.store_piece(session, job.id, piece, rows),
        )

    return Step(piece, store)


def _piece(site: Site, job: Job, piece: int) -> tuple[Samples, int]:
    """Return the samples of a piece, and when (ms) it begins: both neighbours find the same cut."""
    end_ms, last = duration_ms(job.video), piece_count(job) - 1
    first_ms, stop_ms = piece * PIECE_MS, min((piece + 1) * PIECE_MS, end_ms)
    from_ms = max(0, first_ms - REACH_MS) if piece else 0
    to_ms = min(stop_ms + REACH_MS, end_ms) if piece < last else end_ms
    origin = job.video.origin_pts * Fraction(job.video.time_base)
    with site.local_video(job.video) as path:
        sound = site.decoder().hear(path, origin, Fraction(from_ms, 1000), Fraction(to_ms, 1000))
    stop = quietest(sound, stop_ms - from_ms) if piece < last else len(sound)
    start = quietest(sound, first_ms - from_ms) if piece else 0
    return sound[start:stop], from_ms + start * 1000 // RATE


def quietest(sound: Samples, around_ms: int) -> int:
    """Return the sample in the middle of the quietest quarter second within REACH_MS of a moment."""
    centre, reach = around_ms * RATE // 1000, REACH_MS * RATE // 1000
    first, last = max(0, centre - reach), min(len(sound), centre + reach)
    starts = range(first, max(first + 1, last - _LULL), _HOP)
    loudness = [float(np.square(sound[at : at + _LULL].astype(np.float64)).sum()) for at in starts]
    return min(len(sound), starts[int(np.argmin(loudness))] + _LULL // 2)


def rows_of(
    job_id: str, piece: int, start_ms: int, samples: int, transcript: Transcript
) -> list[Utterance]:
    """Make rows of what was heard: in order, within the piece; what lies beyond it was not heard."""
    length_ms = samples * 1000 // RATE
    rows: list[Utterance] = []
    for heard in sorted(transcript.heard, key=lambda one: one.start):
        text = _words(heard)
        first = max(round(1000 * heard.start), 0)
        last = min(max(round(1000 * heard.end), first + 1), length_ms)
        if text and first < last:
            rows.append(
                Utterance(
                    job_id=job_id,
                    piece=piece,
                    number=len(rows),
                    start_ms=start_ms + first,
                    end_ms=start_ms + last,
                    text=text,
                    language=" ".join(clean(transcript.language).split())[:16],
                )
            )
    return rows


def _words(heard: Heard) -> str:
    """Return the text in one line, up to where it begins to repeat itself."""
    text = " ".join(clean(heard.text).split())
    loop = find_loop(text)
    return text if loop is None else text[:loop].rstrip()
