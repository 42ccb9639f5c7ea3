"""The steps in which a summary is made: the outline, then a passage at a time."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from models import chunks, passages
from models.chunks import Claim, LeaseLost
from models.clock import now_ms
from models.facts import duration_ms
from models.jobs import get_job
from models.parameters import Parameters
from models.segments import list_segments, shown_words
from models.tables import CommentKind, Job, Passage, Segment, Stage
from worker.commentator import Matter, Told
from worker.guard import clean
from worker.site import Site
from worker.step import Step
from worker.story.changes import Line, words_of
from worker.story.outline import LINE_BYTES, PART_BYTES, Span, clip, outline
from worker.story.traits import traits_of

_ROWS_AT_ONCE = 1000
_TOKENS = 192  # for a title and two sentences
_TOKENS_WHOLE = 320
_SENTENCES, _SENTENCES_WHOLE = 2, 5


def story_steps(site: Site, claim: Claim) -> Iterator[Step]:
    """Yield the steps of a chunk of stage OUTLINE or later."""
    if claim.stage == Stage.OUTLINE:
        yield _outline_step(site, claim)
        return
    for index in range(claim.cursor, claim.stop):
        yield _passage_step(site, claim, index)


def _outline_step(site: Site, claim: Claim) -> Step:
    with site.store.read() as session:
        job = get_job(session, claim.job_id)
    lines = [line for line in _lines(site, claim.job_id) if line.text]
    spans = outline(lines, job.window_count, duration_ms(job.video))

    def store(session: Session) -> bool:
        def write() -> None:
            passages.lay_out(session, claim.job_id, (_row(claim.job_id, span) for span in spans))

        return chunks.store_step(session, claim, 0, site.lease_ms, write)

    return Step(0, store)


def _passage_step(site: Site, claim: Claim, index: int) -> Step:
    begun, told_ms = time.monotonic(), now_ms()  # what is corrected from now on may go unheard
    with site.store.read() as session:
        job = get_job(session, claim.job_id)
        row = passages.get_passage(session, claim.job_id, claim.stage - Stage.PASSAGES, index)
        if row is None:  # asked for anew meanwhile
            raise LeaseLost
        below = passages.sources_of(session, row) if row.level else []
        lines = [] if row.level else _spoken(session, row)
    if len(below) == 1:
        told = Told(below[0].title, below[0].text, below[0].reason)
    else:
        texts = _bounded([passage.text for passage in below] or lines)
        told = _tell(site, claim, job, row, texts)
    passage = _filled(row, told, told_ms, time.monotonic() - begun)

    def store(session: Session) -> bool:
        return chunks.store_step(
            session, claim, index, site.lease_ms, lambda: passages.fill_in(session, passage)
        )

    return Step(index, store)


def _tell(site: Site, claim: Claim, job: Job, row: Passage, texts: Sequence[str]) -> Told:
    if not texts:
        return Told(reason="Nothing was told of this part.")
    is_whole = (row.first, row.stop) == (0, job.window_count)
    sentences = _SENTENCES_WHOLE if is_whole else _SENTENCES
    matter = Matter(tuple(texts), sentences, number=claim.stage * 2**16 + row.index)
    parameters = Parameters.from_json(job.parameters)
    prompt = site.prompt(parameters, max_new_tokens=_TOKENS_WHOLE if is_whole else _TOKENS)
    with site.attempt(claim), site.call(claim, row.index, is_alone=claim.is_suspect) as draft:
        return site.commentator.tell(matter, prompt, draft)


def _bounded(texts: Sequence[str]) -> list[str]:
    """Clip texts so that all of them fit a question; leave empty ones out."""
    said = [text for text in texts if text]
    fair = PART_BYTES // max(1, len(said))
    most = max(LINE_BYTES, fair)
    if sum(min(len(text.encode()), most) for text in said) > PART_BYTES:
        most = fair
    return [clip(text, most) for text in said]


def _lines(site: Site, job_id: str) -> Iterator[Line]:
    since = 0
    while True:
        with site.store.read() as session:
            rows = list_segments(session, job_id, since=since, limit=_ROWS_AT_ONCE)
        yield from map(_line, rows)
        if len(rows) < _ROWS_AT_ONCE:
            return
        since = rows[-1].index + 1


def _line(row: Segment) -> Line:
    """A corrected comment is compared by its words: what was measured was wrong, or not what counts."""
    words = shown_words(row)
    text = words.text if words.kind is CommentKind.SAID else ""
    facts: Mapping[str, Any] = row.facts or {}
    if row.correction is None and "views" in facts:
        traits, is_new_view = traits_of(facts)
        return Line(row.index, row.start_ms, text, traits, is_new_view)
    return Line(row.index, row.start_ms, text, words_of(text))


def _spoken(session: Session, row: Passage) -> list[str]:
    rows = list_segments(session, row.job_id, since=row.first, limit=row.stop - row.first)
    words = [shown_words(segment) for segment in rows]
    return [one.text for one in words if one.kind is CommentKind.SAID]


def _row(job_id: str, span: Span) -> Passage:
    return Passage(
        job_id=job_id,
        level=span.level,
        index=span.index,
        first=span.first,
        stop=span.stop,
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        is_chapter=span.is_chapter,
    )


def _filled(row: Passage, told: Told, told_ms: int, spent_s: float) -> Passage:
    return Passage(
        job_id=row.job_id,
        level=row.level,
        index=row.index,
        title=" ".join(clean(told.title).split()),
        text=clean(told.text),
        reason=told.reason,
        waiting_ms=told.timings.waiting_ms,
        prefill_ms=told.timings.prefill_ms,
        generate_ms=told.timings.generate_ms,
        total_ms=1000 * spent_s,
        tokens_in=told.tokens_in,
        tokens_out=told.tokens_out,
        told_ms=told_ms,
    )
