"""Exports: a job's commentary as SRT, WebVTT, JSON, CSV and TXT.

    records ──▶ Document ──WRITERS["srt"].write──▶ text

The writers are pure: a document in, text out, a segment at a time.
"""

from web.exports.document import Document
from web.exports.download_name import download_stem
from web.exports.formats import WRITERS

__all__ = ["WRITERS", "Document", "download_stem"]
