"""TXT: where it comes from, the summary and its chapters if there are any, a line for each segment."""

from typing import TextIO

from web.exports.chapters import told
from web.exports.clock import clock
from web.exports.document import Document
from web.exports.plain_text import plain
from web.exports.provenance import provenance
from web.shapes import SegmentRecord


def write_txt(document: Document, out: TextIO) -> None:
    """Write `[start – end] text` lines under a header; segments without words are in brackets."""
    out.write("\n".join(provenance(document)) + "\n\n")
    if document.summary is not None:
        for line in told(document):
            out.write(f"{line}\n")
        out.write("\n")
    for heard in document.speech:
        span = f"{clock(heard['start_ms'])} – {clock(heard['end_ms'])}"
        out.write(f"[{span}] says: {plain(heard['text'])}\n")
    out.write("\n" if document.speech else "")
    for segment in document.segments:
        span = f"{clock(segment['start_ms'])} – {clock(segment['end_ms'])}"
        out.write(f"[{span}] {_words(segment)}\n")


def _words(segment: SegmentRecord) -> str:
    if segment["kind"] == "said":
        return plain(segment["text"])
    if segment["kind"] == "unchanged":
        return "(unchanged)"
    reason = segment["reason"]
    return plain(f"(nothing said: {reason})") if reason else "(nothing said)"
