"""A video in few words, with chapters."""

from typing import TypedDict

from web.shapes.refusals import RefusalShape


class ChapterRecord(TypedDict):
    """A stretch of a video, from one real change to the next. Times are those of segments."""

    start_ms: int
    end_ms: int
    title: str  # empty: nothing was said in it
    text: str


class SummaryRecord(TypedDict):
    """The whole video in few words, told from its segments by its commentator."""

    title: str
    text: str
    chapters: list[ChapterRecord]  # they tile the video
    finished_ms: int


class EffortRecord(TypedDict):
    """Milliseconds of work on all passages of a summary, and tokens if the commentator counts them."""

    waiting_ms: float
    prefill_ms: float
    generate_ms: float
    total_ms: float
    tokens_in: int | None
    tokens_out: int | None


class SummaryShape(TypedDict):
    """A summary as far as it is made; `summary` is null until it is ready."""

    state: str  # "none", "waiting", "making", "ready" or "failed"
    steps_done: int
    steps_total: int
    failure: RefusalShape | None
    summary: SummaryRecord | None
    outdated: bool  # comments were corrected since
    passages: int  # questions and their answers that it took
    effort: EffortRecord
