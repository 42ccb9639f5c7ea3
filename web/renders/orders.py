"""What a rendering child is asked for: the commentary as it is now, and the video's row."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from models.tables import Video
from web.exports import Choice, Document
from web.exports.cues import cues
from web.exports.plain_text import plain
from web.renders.kinds import RENDERINGS

_PREVIEW_BYTES = 1_000_000  # a second of video, far above what 720p takes
_SPEECH_BYTES = 50_000  # a second: 16 bits at 22 kHz
_GROUND_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Order:
    """The same commentary, asked for in the same way, is the same order."""

    job_id: str
    video_id: str
    video_sha256: str
    format: str
    choice: Choice  # with the voice: in which way it was asked for
    request: dict[str, Any]  # the child's, but for its open files
    needs_video: bool
    largest_file: int  # bytes

    @property
    def name(self) -> str:
        """Return the file's name, without any extension."""
        asked = json.dumps([self.format, self.request], sort_keys=True)
        return sha256(asked.encode()).hexdigest()[:24]

    def replaces(self, other: "Order") -> bool:
        """Tell whether the other one was asked for in the same way, of what was the commentary then."""
        same_way = (self.job_id, self.format, self.choice, self.request.get("voice")) == (
            *(other.job_id, other.format, other.choice, other.request.get("voice")),
        )
        return same_way and self.name != other.name


def place_order(document: Document, video: Video, export_format: str, voice: str) -> Order:
    """Read the document's segments and put them into the words of a child."""
    rendering, seconds = RENDERINGS[export_format], document.video["duration_ms"] / 1000
    speaks = rendering.speaks
    return Order(
        job_id=document.job["id"],
        video_id=video.id,
        video_sha256=video.sha256,
        format=export_format,
        choice=document.choice,
        request=_spoken(document, export_format, voice) if speaks else _drawn(document, video),
        needs_video=not speaks,
        largest_file=int(seconds * (_SPEECH_BYTES if speaks else _PREVIEW_BYTES)) + _GROUND_BYTES,
    )


def _spoken(document: Document, export_format: str, voice: str) -> dict[str, Any]:
    comments = [
        (segment["start_ms"], words)
        for segment in document.segments
        if segment["kind"] == "said" and (words := plain(segment["text"]))
    ]
    return {
        "format": export_format,
        "voice": voice,
        "duration_ms": document.video["duration_ms"],
        "comments": comments,
    }


def _drawn(document: Document, video: Video) -> dict[str, Any]:
    return {
        "stream_index": video.stream_index,
        "origin_pts": video.origin_pts,
        "end_pts": video.end_pts,
        "width": video.width,
        "height": video.height,
        "sound": video.has_audio,
        "cues": [(cue.start_ms, cue.end_ms, cue.lines) for cue in cues(document.segments)],
    }
