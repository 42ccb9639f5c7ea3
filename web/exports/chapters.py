"""Chapters: as WebVTT for `<track kind="chapters">`, as FFmpeg's metadata, and as a list for a video's
description.

They are those of the summary; a document without one has none. Times are those of segments; players
want them to adjoin, and YouTube wants the first at 0:00.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from web.exports.clock import clock
from web.exports.document import Document
from web.exports.plain_text import plain
from web.exports.subtitles import vtt_note, vtt_text

_FFMETADATA_SPECIAL = re.compile(r"([=;#\\])")


@dataclass(frozen=True, slots=True)
class Chapter:
    start_ms: int
    end_ms: int
    title: str  # one plain line, never empty
    text: str


def chapters(document: Document) -> Iterator[Chapter]:
    """Yield the chapters in order, plain; those without a title are numbered."""
    told = document.summary["chapters"] if document.summary else []
    for number, chapter in enumerate(told, start=1):
        title = plain(chapter["title"]) or f"Chapter {number}"
        end_ms = max(chapter["end_ms"], chapter["start_ms"] + 1)
        yield Chapter(chapter["start_ms"], end_ms, title, plain(chapter["text"]))


def told(document: Document) -> Iterator[str]:
    """Yield the summary and a line for each chapter, plain."""
    if document.summary is None:
        return
    for words in (document.summary["title"], document.summary["text"]):
        if plain(words):
            yield plain(words)
    for chapter in chapters(document):
        yield f"{moment(chapter.start_ms)} {chapter.title}"


def moment(ms: int) -> str:
    """Return a time as a video's description links it: 0:00, 12:05, 1:02:03."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def write_chapters(document: Document, out: TextIO) -> None:
    """Write WebVTT: a cue for each chapter, its text the title."""
    note = vtt_note(document, 'For <track kind="chapters">')
    out.write(f"WEBVTT\n\n{note}")
    for number, chapter in enumerate(chapters(document), start=1):
        span = f"{clock(chapter.start_ms)} --> {clock(chapter.end_ms)}"
        out.write(f"\n{number}\n{span}\n{vtt_text(chapter.title)}\n")


def write_ffmetadata(document: Document, out: TextIO) -> None:
    """Write FFmpeg's metadata: `ffmpeg -i video -i this -map_metadata 1 -codec copy out.mp4`."""
    out.write(";FFMETADATA1\n")
    for chapter in chapters(document):
        title = _FFMETADATA_SPECIAL.sub(r"\\\1", chapter.title)
        times = f"TIMEBASE=1/1000\nSTART={chapter.start_ms}\nEND={chapter.end_ms}"
        out.write(f"[CHAPTER]\n{times}\ntitle={title}\n")


def write_chapter_list(document: Document, out: TextIO) -> None:
    """Write `0:00 title` lines; the whole seconds in which chapters begin differ from each other."""
    for chapter in chapters(document):
        out.write(f"{moment(chapter.start_ms)} {chapter.title}\n")
