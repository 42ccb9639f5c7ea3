"""What an export tells: records, so that a writer knows neither the store nor the web.

Every text may be hostile: the writers make it harmless.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from models.frame_rate import FrameRate
from web.exports.choice import Choice
from web.shapes import JobRecord, SegmentRecord, SummaryRecord, UtteranceRecord, VideoRecord


@dataclass(frozen=True, slots=True)
class Document:
    """One export. `segments` come in order and are read once, so they may stream from the store.

    They are as `choice` says already.
    """

    video: VideoRecord
    job: JobRecord
    segments: Iterable[SegmentRecord]
    version: str  # of Reelnotes
    exported_ms: int  # time of day
    choice: Choice = field(default_factory=Choice)
    rate: FrameRate = field(default_factory=lambda: FrameRate(Fraction(25), varies=False))
    summary: SummaryRecord | None = None  # None: there is none (yet)
    speech: Sequence[UtteranceRecord] = ()  # what is said in the video
