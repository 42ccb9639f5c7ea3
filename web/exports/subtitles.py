"""SRT and WebVTT: the cues of all that was said.

SRT has no way to escape. Players read `<` and `{` as markup and some read `\\N` as a line break;
`-->`, and for some readers any two times, make a time line. So these characters are replaced by
others that look alike: `<` `>` `{` `}` `\\` become `‹` `›` `(` `)` `∖`, and the last colon of a time
with a fraction becomes `∶` (U+2236). WebVTT escapes `&`, `<` and `>` and loses nothing.
"""

import re
from typing import TextIO

from web.exports.clock import clock
from web.exports.cues import cues
from web.exports.document import Document
from web.exports.provenance import provenance

_SRT_LOOKALIKES = str.maketrans("<>{}\\", "‹›()∖")
_COLON_OF_A_TIME = re.compile(r"(?<=\d):(?=\d+[.,]\d)")
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_ARROW = re.compile("-{2,}>")


def write_srt(document: Document, out: TextIO) -> None:
    """Write SubRip: cues numbered from 1, lines ended by a bare newline."""
    for number, cue in enumerate(cues(document.segments), start=1):
        span = f"{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}"
        text = _COLON_OF_A_TIME.sub("∶", "\n".join(cue.lines).translate(_SRT_LOOKALIKES))
        out.write(f"{number}\n{span}\n{text}\n\n")


def write_vtt(document: Document, out: TextIO) -> None:
    """Write WebVTT; the id of a cue is its segment's index, a point, and its part from 1."""
    about = "\n".join(_ARROW.sub("->", line) for line in provenance(document))
    out.write(f"WEBVTT\n\nNOTE\n{about}\n")
    for cue in cues(document.segments):
        span = f"{clock(cue.start_ms)} --> {clock(cue.end_ms)}"
        text = "\n".join(cue.lines).translate(_VTT_ESCAPES)
        out.write(f"\n{cue.segment}.{cue.part}\n{span}\n{text}\n")
