"""EDL, as CMX 3600 has it: the film as one event for each segment, with what was said beside it.

Each event cuts its segment out of the video and puts it where it was, so that the whole list is the
film again. What was said stands in three notations, each read by other programs: a comment, a locator (Avid, OpenTimelineIO) and a marker (DaVinci Resolve).
Timecodes count from 00:00:00:00, the first displayable picture.
"""

from collections.abc import Iterator
from typing import TextIO

from web.exports.document import Document
from web.exports.download_name import download_stem
from web.exports.plain_text import plain
from web.exports.provenance import counting, provenance
from web.exports.timecode import FrameClock
from web.shapes import SegmentRecord

_REEL = "AX"  # a source without a tape's name
_BAR = str.maketrans("|", "¦")  # a bar begins a field of Resolve's markers


def write_edl(document: Document, out: TextIO) -> None:
    """Write title, mode, and the events.

    Where it comes from stands with the first event: some readers take no comment before it.
    """
    clock = FrameClock(document.rate.per_second)
    clip = plain(document.job["filename"]).translate(_BAR)
    out.write(f"TITLE: {download_stem(document.job['filename'])}\n")
    out.write(f"FCM: {'DROP FRAME' if clock.drops else 'NON-DROP FRAME'}\n")
    about = [f"* {line.translate(_BAR)}" for line in (*provenance(document), counting(document))]
    for number, segment in enumerate(document.segments, start=1):
        lines = [*_event(number, segment, clock, clip), *(about if number == 1 else ())]
        out.write("\n" + "\n".join(lines) + "\n")


def _event(number: int, segment: SegmentRecord, clock: FrameClock, clip: str) -> Iterator[str]:
    first = clock.frame(segment["start_ms"])
    frames = max(clock.frame(segment["end_ms"]) - first, 1)
    span = f"{clock.timecode(first)} {clock.timecode(first + frames)}"
    yield f"{number:03d}  {_REEL:<8} V     C        {span} {span}"
    yield f"* FROM CLIP NAME: {clip}"
    words = plain(segment["text"]).translate(_BAR)
    if segment["kind"] == "said" and words:
        yield f"* COMMENT: {words}"
        # Readers of locators know the colon only; the mode stands at the head of the list.
        yield f"* LOC: {clock.timecode(first).replace(';', ':')} GREEN   {words}"
        yield f" |C:ResolveColorGreen |M:{words} |D:{frames}"
