"""The lines that tell a reader where an export comes from."""

from collections.abc import Iterator

from web.exports.choice import CUES, TEXTS
from web.exports.clock import clock, time_of_day
from web.exports.document import Document
from web.exports.plain_text import plain
from web.exports.timecode import FrameClock
from web.shapes import JobRecord, SourceRecord


def provenance(document: Document) -> Iterator[str]:
    """Yield plain lines: the file, the commentator and its networks, who wrote this when, and what is missing."""
    job = document.job
    yield plain(f"Video: {job['filename']} ({clock(document.video['duration_ms'])})")
    yield from _who("Commentator", job)
    for source in job["sources"]:
        yield from _who(
            f"{source['windows']} of {job['windows_total']} windows were taken over from the run {source['job_id']}, by",
            source,
        )
    yield plain(f"Written by Reelnotes {document.version}, {time_of_day(document.exported_ms)}")
    if document.choice.text != TEXTS[0]:
        yield "Texts: as commented, without people's corrections"
    if document.choice.cues != CUES[0]:
        yield "Cues: what was said and the unchanged windows after it are joined"
    if job["state"] != "done":
        yield f"Not complete: the job is {job['state']}"


def _who(told: str, by: JobRecord | SourceRecord) -> Iterator[str]:
    label = by["commentator_label"]
    yield plain(f"{told}: {by['commentator']}" + (f" ({label})" if label else ""))
    for network in by["networks"]:
        yield plain(
            f"Network: {network['name']}: {network['checkpoint']} ({network['fingerprint']})"
        )


def counting(document: Document) -> str:
    """Return a line that tells how frames are counted."""
    rate = document.rate
    frames = FrameClock(rate.per_second)
    each = (
        f"{float(rate.per_second):.6g} ({rate.per_second})"
        if frames.drops or rate.per_second.denominator > 1
        else str(rate.per_second)
    )
    told = f"Timecode: {each} frames a second, {'drop frame' if frames.drops else 'non-drop'}, from the first picture"
    return f"{told}; the video's own rate varies" if rate.varies else told
