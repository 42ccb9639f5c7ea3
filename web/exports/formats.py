"""The formats an export can have.

To add one: a module with a `write_…` function, a row here, a section in docs/formats.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from web.exports.csv_file import write_csv
from web.exports.document import Document
from web.exports.json_file import write_json
from web.exports.subtitles import write_srt, write_vtt
from web.exports.transcript import write_txt


@dataclass(frozen=True, slots=True)
class Writer:
    """`write` reads the document's segments once, as it writes; it needs a UTF-8 stream that leaves
    line ends alone (opened with newline="")."""

    write: Callable[[Document, TextIO], None]
    mime_type: str
    extension: str  # with its point


WRITERS: dict[str, Writer] = {
    "srt": Writer(write_srt, "application/x-subrip", ".srt"),
    "vtt": Writer(write_vtt, "text/vtt", ".vtt"),
    "json": Writer(write_json, "application/json", ".json"),
    "csv": Writer(write_csv, "text/csv", ".csv"),
    "txt": Writer(write_txt, "text/plain", ".txt"),
}
