"""TTML2 in the text profile of IMSC 1.1, as broadcasters and streaming services take subtitles."""

import unicodedata
from typing import TextIO

from web.exports.clock import clock
from web.exports.cues import Cue, cues
from web.exports.document import Document
from web.exports.plain_text import plain
from web.exports.provenance import provenance
from web.exports.xml_text import xml_text

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling" ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/imsc1.1/text" ttp:timeBase="media" xml:lang="">
<head>
<metadata>
<ttm:title>{title}</ttm:title>
<ttm:desc>{about}</ttm:desc>
</metadata>
<styling>
<style xml:id="cue" tts:fontFamily="proportionalSansSerif" tts:fontSize="80%" tts:lineHeight="120%" tts:textAlign="center"/>
<style xml:id="rtl" tts:direction="rtl" tts:unicodeBidi="embed"/>
<style xml:id="box" tts:color="#FFFFFF" tts:backgroundColor="#000000C0"/>
</styling>
<layout>
<region xml:id="bottom" tts:origin="10% 75%" tts:extent="80% 20%" tts:displayAlign="after"/>
</layout>
</head>
<body>
<div region="bottom">
"""
_FOOT = "</div>\n</body>\n</tt>\n"


def write_ttml(document: Document, out: TextIO) -> None:
    """Write the same cues as SRT and WebVTT have; an id is `c`, its segment, a point, its part."""
    title = xml_text(document.job["filename"])
    out.write(_HEAD.format(title=title, about=xml_text(". ".join(provenance(document)))))
    for cue in cues(document.segments):
        styles = "cue rtl" if _is_right_to_left(cue) else "cue"
        text = "<br/>".join(map(xml_text, cue.lines))
        out.write(
            f'<p xml:id="c{cue.segment}.{cue.part}" style="{styles}" begin="{clock(cue.start_ms)}" '
            f'end="{clock(cue.end_ms)}"><span style="box">{text}</span></p>\n'
        )
    out.write(_FOOT)


def _is_right_to_left(cue: Cue) -> bool:
    """Tell by its first letter, as the Unicode bidirectional algorithm does (rules P2 and P3)."""
    for character in plain(" ".join(cue.lines)):
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False
