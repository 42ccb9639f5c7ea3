"""The formats an export can have.

To add one: a module with a `write_…` function, a row here, a section in docs/formats.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from web.exports.chapters import write_chapter_list, write_chapters, write_ffmetadata
from web.exports.csv_file import write_csv
from web.exports.descriptions import write_descriptions
from web.exports.document import Document
from web.exports.edl import write_edl
from web.exports.fcpxml import write_fcpxml
from web.exports.json_file import write_json
from web.exports.markdown import write_markdown
from web.exports.speech import write_speech_srt, write_speech_vtt
from web.exports.subtitles import write_srt, write_vtt
from web.exports.transcript import write_txt
from web.exports.ttml import write_ttml

SUBTITLES = "Subtitles and descriptions"
EDITING = "Editing programs"
DATA = "Data and text"
RENDERED = "Audio and video"
GROUPS = (SUBTITLES, EDITING, DATA, RENDERED)

COMMENTS = "comments"
CHAPTERS = "chapters"
SPEECH = "speech"


@dataclass(frozen=True, slots=True)
class Writer:
    """`write` reads the document's segments once, as it writes; it needs a UTF-8 stream that leaves
    line ends alone (opened with newline="")."""

    write: Callable[[Document, TextIO], None]
    mime_type: str
    extension: str  # with its point
    title: str
    group: str
    purpose: str  # one line for a person: what it is for
    tells: str = COMMENTS  # what it is made of; of CHAPTERS and SPEECH a job may have none


WRITERS: dict[str, Writer] = {
    "srt": Writer(write_srt, "application/x-subrip", ".srt", "SRT", SUBTITLES, "video players, editors and upload sites"),
    "vtt": Writer(write_vtt, "text/vtt", ".vtt", "WebVTT", SUBTITLES, "captions on web pages"),
    "ttml": Writer(write_ttml, "application/ttml+xml", ".ttml", "TTML", SUBTITLES, "broadcasters and streaming services (IMSC 1.1 text)"),
    "descriptions": Writer(write_descriptions, "text/vtt", ".descriptions.vtt", "Descriptions", SUBTITLES, "WebVTT that screen readers and players speak"),
    "chapters": Writer(write_chapters, "text/vtt", ".chapters.vtt", "Chapters", SUBTITLES, "WebVTT with which players offer chapters", CHAPTERS),
    "chapterlist": Writer(write_chapter_list, "text/plain", ".chapters.txt", "Chapter list", SUBTITLES, "times and titles, for a video's description", CHAPTERS),
    "ffmetadata": Writer(write_ffmetadata, "text/plain", ".ffmetadata", "FFmetadata", EDITING, "FFmpeg: puts the chapters into a copy of the video", CHAPTERS),
    "speechsrt": Writer(write_speech_srt, "application/x-subrip", ".speech.srt", "Speech as SRT", SUBTITLES, "what is said in the video", SPEECH),
    "speechvtt": Writer(write_speech_vtt, "text/vtt", ".speech.vtt", "Speech as WebVTT", SUBTITLES, "the same for web pages", SPEECH),
    "edl": Writer(write_edl, "text/plain", ".edl", "EDL", EDITING, "Resolve, Avid, Premiere: cuts with comments and markers (CMX 3600)"),
    "fcpxml": Writer(write_fcpxml, "application/xml", ".fcpxml", "FCPXML", EDITING, "Final Cut Pro, Resolve: the clip with a marker for each comment"),
    "json": Writer(write_json, "application/json", ".json", "JSON", DATA, "programs: everything that is known, with a schema"),
    "csv": Writer(write_csv, "text/csv", ".csv", "CSV", DATA, "spreadsheets"),
    "md": Writer(write_markdown, "text/markdown", ".md", "Markdown", DATA, "notes and wikis: summary, chapters, comments"),
    "txt": Writer(write_txt, "text/plain", ".txt", "TXT", DATA, "reading"),
}  # fmt: skip


def missing(document: Document, tells: str) -> str | None:
    """Return why there is nothing to write of what a format tells; None: there is something."""
    if tells == CHAPTERS and document.summary is None:
        return (
            "This job has no chapters: they come with a summary, which it doesn't have (yet). "
            "Ask for one, then save them."
        )
    if tells == SPEECH and not document.speech:
        return "Nothing of what is said in this video has been written down."
    return None
