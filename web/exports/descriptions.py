"""WebVTT for `<track kind="descriptions">`: text that a screen reader or a player's voice speaks.

A cue is spoken when its time comes, so each comment is one cue of one line: broken into screens, as
captions are, a voice would be interrupted in mid-sentence. Cues follow one another without overlap.
They carry no settings and no markup, for nobody sees them. What kind a file is stands in no WebVTT
header: the page that embeds it says so.
"""

from typing import TextIO

from web.exports.clock import clock
from web.exports.document import Document
from web.exports.plain_text import plain
from web.exports.subtitles import vtt_note, vtt_text


def write_descriptions(document: Document, out: TextIO) -> None:
    """Write a cue for each comment; its id is its segment's index."""
    note = vtt_note(document, 'For <track kind="descriptions">: text to be spoken')
    out.write(f"WEBVTT Audio descriptions\n\n{note}")
    for segment in document.segments:
        words = plain(segment["text"])
        if segment["kind"] == "said" and words:
            end_ms = max(segment["end_ms"], segment["start_ms"] + 1)
            span = f"{clock(segment['start_ms'])} --> {clock(end_ms)}"
            out.write(f"\n{segment['index']}\n{span}\n{vtt_text(words)}\n")
