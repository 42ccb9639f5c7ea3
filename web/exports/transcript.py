"""TXT: where it comes from, then a line for each segment."""

from typing import TextIO

from web.exports.clock import clock
from web.exports.document import Document, Segment
from web.exports.plain_text import plain
from web.exports.provenance import provenance


def write_txt(document: Document, out: TextIO) -> None:
    """Write `[start – end] text` lines under a header; segments without words are in brackets."""
    out.write("\n".join(provenance(document)) + "\n\n")
    for segment in document.segments:
        out.write(f"[{clock(segment.start_ms)} – {clock(segment.end_ms)}] {_words(segment)}\n")


def _words(segment: Segment) -> str:
    if segment.kind == "said":
        return plain(segment.text)
    if segment.kind == "unchanged":
        return "(unchanged)"
    return plain(f"(nothing said: {segment.reason})") if segment.reason else "(nothing said)"
