"""Exports: a job's commentary as SRT, WebVTT, JSON, CSV and TXT.

    rows ──document_from_rows──▶ Document ──WRITERS["srt"].write──▶ text

The writers are pure: a document in, text out, a segment at a time.
"""

from web.exports.download_name import download_stem
from web.exports.formats import WRITERS
from web.exports.from_rows import document_from_rows

__all__ = ["WRITERS", "document_from_rows", "download_stem"]
