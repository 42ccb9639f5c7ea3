"""SRT and WebVTT: the cues of all that was said.

SRT has no way to escape. Players read `<` and `{` as markup and some read `\\N` as a line break;
`-->`, and for some readers any two times, make a time line. So these characters are replaced by
others that look alike: `<` `>` `{` `}` `\\` become `‹` `›` `(` `)` `∖`, and the last colon of a time
with a fraction becomes `∶` (U+2236). WebVTT escapes `&`, `<` and `>` and loses nothing.
"""

import re
from typing import TextIO

from web.exports.clock import clock
from web.exports.cues import Cue, cues
from web.exports.document import Document
from web.exports.provenance import provenance

_SRT_LOOKALIKES = str.maketrans("<>{}\\", "‹›()∖")
_COLON_OF_A_TIME = re.compile(r"(?<=\d):(?=\d+[.,]\d)")
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_ARROW = re.compile("-{2,}>")


def write_srt(document: Document, out: TextIO) -> None:
    """Write SubRip: cues numbered from 1, lines ended by a bare newline."""
    for number, cue in enumerate(cues(document.segments), start=1):
        out.write(srt_cue(number, cue))


def write_vtt(document: Document, out: TextIO) -> None:
    """Write WebVTT; the id of a cue is its segment's index, a point, and its part from 1."""
    out.write(f"WEBVTT\n\n{vtt_note(document)}")
    for cue in cues(document.segments):
        out.write(vtt_cue(cue))


def srt_cue(number: int, cue: Cue) -> str:
    span = f"{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}"
    text = _COLON_OF_A_TIME.sub("∶", "\n".join(cue.lines).translate(_SRT_LOOKALIKES))
    return f"{number}\n{span}\n{text}\n\n"


def vtt_cue(cue: Cue) -> str:
    span = f"{clock(cue.start_ms)} --> {clock(cue.end_ms)}"
    return f"\n{cue.segment}.{cue.part}\n{span}\n{vtt_text(chr(10).join(cue.lines))}\n"


def vtt_note(document: Document, *more: str) -> str:
    """Return a comment block that tells where the file comes from, and lines of our own."""
    about = "\n".join(_ARROW.sub("->", line) for line in (*provenance(document), *more))
    return f"NOTE\n{about}\n"


def vtt_text(words: str) -> str:
    """Escape plain text for a cue."""
    return words.translate(_VTT_ESCAPES)
