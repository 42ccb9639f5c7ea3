"""CSV (RFC 4180): a header row, then one row a segment.

It starts with a byte order mark: without one Excel reads UTF-8 as the system's old code page, and
other readers skip it (Python: encoding "utf-8-sig"). A cell is one line of plain text; where it
would start a formula, an apostrophe stands before it.
"""

import csv
from collections.abc import Iterable
from typing import TextIO

from web.exports.clock import clock
from web.exports.document import Document
from web.exports.plain_text import plain
from web.shapes import SegmentRecord

COLUMNS = (
    "index",
    "start",
    "end",
    "start_ms",
    "end_ms",
    "kind",
    "text",
    "reason",
    "frame_times_ms",
    "waiting_ms",
    "decode_ms",
    "vision_ms",
    "prefill_ms",
    "generate_ms",
    "total_ms",
    "tokens_in",
    "tokens_out",
)
_FORMULA_STARTS = tuple("=+-@＝＋－＠")  # the wide ones count where Excel runs in Japanese


def write_csv(document: Document, out: TextIO) -> None:
    """Write the table. `out` must leave line ends alone (opened with newline="")."""
    out.write("\ufeff")
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    rows.writerows(_row(segment) for segment in document.segments)


def _row(segment: SegmentRecord) -> Iterable[object]:
    cells = {
        **segment,
        **segment["timings"],
        "start": clock(segment["start_ms"]),
        "end": clock(segment["end_ms"]),
        "text": _cell(segment["text"]),
        "reason": _cell(segment["reason"] or ""),
        "frame_times_ms": " ".join(map(str, segment["frame_times_ms"])),
    }
    return [cells[name] for name in COLUMNS]


def _cell(text: str) -> str:
    """Make the text plain and no formula; a tab or line break at its start is gone by then."""
    words = plain(text)
    return f"'{words}" if words.startswith(_FORMULA_STARTS) else words
