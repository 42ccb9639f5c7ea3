"""What the probe found in a video's file, and the arithmetic of its ticks."""

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self, get_origin

from models.windows import milliseconds

if TYPE_CHECKING:
    from models.tables import Video


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a probe of the file found: measured from its packets, not believed from its header.

    Ticks count `time_base` seconds each, on the stream's own axis.
    """

    container: str  # FFmpeg's name of the demuxer, e.g. "mov,mp4,m4a,3gp,3g2,mj2"
    codec: str  # e.g. "h264"
    stream_index: int  # of the video stream that is used
    width: int  # pixels as displayed: upright, with square pixels
    height: int
    time_base: str  # seconds per tick, e.g. "1/90000"
    origin_pts: int  # ticks: the first displayable picture; time 0 of all we say
    last_pts: int  # ticks: the last picture appears
    end_pts: int  # ticks: the last picture disappears
    frame_count: int  # pictures in the stream, undecodable ones included
    has_audio: bool
    mime_type: str  # for the browser, e.g. "video/mp4"; "" if no browser plays it
    warnings: list[str]  # sentences for a person: cut off, damaged, several streams …

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read what a probe says. Raises ValueError for what no honest probe would say."""
        found = {field.name: values.get(field.name) for field in fields(cls)}
        for field in fields(cls):
            if type(found[field.name]) is not (get_origin(field.type) or field.type):
                raise ValueError(f"{field.name} can't be {found[field.name]!r:.40}")
        return cls(**found)  # type: ignore[arg-type]


def seconds(video: "Video | VideoFacts", pts: int) -> Fraction:
    """Return the time of a tick, in seconds since the first displayable picture."""
    return (pts - video.origin_pts) * Fraction(video.time_base)


def time_ms(video: "Video | VideoFacts", pts: int) -> int:
    """Return the time of a tick as it is stored and shown: in whole milliseconds."""
    return milliseconds(seconds(video, pts))


def duration_ms(video: "Video | VideoFacts") -> int:
    """Return when the last picture disappears."""
    return time_ms(video, video.end_pts)
