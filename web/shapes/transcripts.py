"""What is said in a video."""

from typing import TypedDict

from web.shapes.refusals import RefusalShape


class UtteranceRecord(TypedDict):
    """What is said in a stretch of the video, by a recogniser of speech, which can be wrong."""

    start_ms: int
    end_ms: int
    text: str
    language: str  # as the recogniser names it; empty: it doesn't tell


class TranscriptShape(TypedDict):
    """What is said, as far as it is written down."""

    state: str  # "none", "waiting", "making", "ready" or "failed"
    steps_done: int
    steps_total: int
    failure: RefusalShape | None
    offered: bool  # somebody writes down speech here, and the video has sound
    utterances: list[UtteranceRecord]
