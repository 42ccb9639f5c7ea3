"""Speech as subtitles: a cue or more for each utterance, in lines that can be read."""

from collections.abc import Iterator
from typing import TextIO

from web.exports.cues import Cue, split
from web.exports.document import Document
from web.exports.subtitles import srt_cue, vtt_cue, vtt_note


def write_speech_srt(document: Document, out: TextIO) -> None:
    """Write SubRip, with the replacements that the commentary's has."""
    for number, cue in enumerate(_cues(document), start=1):
        out.write(srt_cue(number, cue))


def write_speech_vtt(document: Document, out: TextIO) -> None:
    """Write WebVTT; the id of a cue is its utterance's number from 0, a point, and its part from 1."""
    note = vtt_note(document, "What is said in the video, as a recogniser of speech heard it")
    out.write(f"WEBVTT\n\n{note}")
    for cue in _cues(document):
        out.write(vtt_cue(cue))


def _cues(document: Document) -> Iterator[Cue]:
    for number, heard in enumerate(document.speech):
        yield from split(number, heard["start_ms"], heard["end_ms"], heard["text"])
