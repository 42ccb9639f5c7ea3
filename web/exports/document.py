"""What an export tells: records, so that a writer knows neither the store nor the web.

Every text may be hostile: the writers make it harmless.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from web.shapes import JobRecord, SegmentRecord, VideoRecord


@dataclass(frozen=True, slots=True)
class Document:
    """One export. `segments` come in order and are read once, so they may stream from the store."""

    video: VideoRecord
    job: JobRecord
    segments: Iterable[SegmentRecord]
    version: str  # of Reelnotes
    exported_ms: int  # time of day
