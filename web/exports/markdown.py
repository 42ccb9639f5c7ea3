"""Markdown: the summary, then each chapter with what was said in it.

Hostile text stays text: characters that Markdown or HTML read as markup are escaped.
"""

import re
from typing import TextIO

from web.exports.chapters import Chapter, chapters, moment
from web.exports.document import Document
from web.exports.plain_text import plain
from web.exports.provenance import provenance

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&@$=^]|:(?=\S))")


def write_markdown(document: Document, out: TextIO) -> None:
    """Write headings for chapters, a list of `time` text lines under each, provenance last."""
    summary = document.summary
    out.write(f"# {escaped(document.job['filename'])}\n")
    if summary is not None:
        title, text = escaped(summary["title"]), escaped(summary["text"])
        out.write(f"\n**{title}**\n" if title else "")
        out.write(f"\n{text}\n" if text else "")
    to_come = list(chapters(document))
    for segment in document.segments:
        begins_list = False
        while to_come and to_come[0].start_ms <= segment["start_ms"]:
            _write_head(to_come.pop(0), out)
            begins_list = True
        words = escaped(segment["text"])
        if begins_list or segment["index"] == 0:
            out.write("\n")
        if segment["kind"] == "said" and words:
            out.write(f"- `{moment(segment['start_ms'])}` {words}\n")
    for chapter in to_come:  # they begin within the last line, which stands for several windows
        _write_head(chapter, out)
    out.write("\n---\n\n")
    for line in provenance(document):
        out.write(f"{escaped(line)}  \n")


def _write_head(chapter: Chapter, out: TextIO) -> None:
    out.write(f"\n## {moment(chapter.start_ms)} {escaped(chapter.title)}\n")
    out.write(f"\n{escaped(chapter.text)}\n" if chapter.text else "")


def escaped(text: str) -> str:
    """Return the words of a text in one line, nothing in it markup."""
    return _SPECIAL.sub(r"\\\1", plain(text))
