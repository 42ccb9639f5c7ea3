"""FCPXML 1.8: a project whose one clip is the whole video, with a marker where something was said.

Final Cut Pro 10.4.1 and later, DaVinci Resolve and others read it. Every time is a whole number of
frames, as a fraction of a second. The clip names the video by its file name: put the two side by side, or relink.
"""

from fractions import Fraction
from typing import TextIO
from urllib.parse import quote

from web.exports.document import Document
from web.exports.download_name import download_stem
from web.exports.plain_text import encodable, plain
from web.exports.provenance import counting, provenance
from web.exports.timecode import FrameClock
from web.exports.xml_text import xml_text

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>
<fcpxml version="1.8">
<resources>
<format id="r1" frameDuration="{frame}" width="{width}" height="{height}"/>
<asset id="r2" name="{clip}" src="{source}" start="0s" duration="{duration}" hasVideo="1" format="r1"{audio}/>
</resources>
<library>
<event name="Reelnotes">
<project name="{title}">
<sequence format="r1" duration="{duration}" tcStart="0s" tcFormat="{mode}">
<note>{note}</note>
<spine>
<asset-clip ref="r2" name="{clip}" offset="0s" start="0s" duration="{duration}" format="r1" tcFormat="{mode}">
"""
_FOOT = """</asset-clip>
</spine>
</sequence>
</project>
</event>
</library>
</fcpxml>
"""


def write_fcpxml(document: Document, out: TextIO) -> None:
    """Write the project, a marker to a line."""
    clock = FrameClock(document.rate.per_second)
    video, filename = document.video, plain(document.job["filename"])
    frame = 1 / clock.rate
    out.write(
        _HEAD.format(
            frame=_seconds(frame),
            width=video["width"],
            height=video["height"],
            clip=xml_text(filename),
            source=quote(encodable(filename).replace("/", "_") or "video"),
            duration=_seconds(max(clock.frame(video["duration_ms"]), 1) * frame),
            audio=' hasAudio="1"' if video["has_audio"] else "",
            title=xml_text(download_stem(filename)),
            mode="DF" if clock.drops else "NDF",
            note=xml_text(". ".join((*provenance(document), counting(document)))),
        )
    )
    for segment in document.segments:
        words = xml_text(segment["text"])
        if segment["kind"] == "said" and words:
            start = _seconds(clock.frame(segment["start_ms"]) * frame)
            out.write(f'<marker start="{start}" duration="{_seconds(frame)}" value="{words}"/>\n')
    out.write(_FOOT)


def _seconds(time: Fraction) -> str:
    return f"{time}s"
