"""Exports: a job's commentary for players, editing programs, programs and people.

    records ──▶ Document ──WRITERS["srt"].write──▶ text

The writers are pure: a document in, text out, a segment at a time.
"""

from web.exports.choice import CUES, TEXTS, Choice
from web.exports.document import Document
from web.exports.download_name import download_stem
from web.exports.formats import CHAPTERS, COMMENTS, GROUPS, SPEECH, WRITERS, Writer, missing
from web.exports.merging import merged

__all__ = [
    "CHAPTERS",
    "COMMENTS",
    "CUES",
    "GROUPS",
    "SPEECH",
    "TEXTS",
    "WRITERS",
    "Choice",
    "Document",
    "Writer",
    "download_stem",
    "merged",
    "missing",
]
