"""What decoding everything gives: slow, plain, and with none of the tricks under test."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame


@dataclass(frozen=True, slots=True)
class Everything:
    """Every picture of a stream that decodes, by PTS, as a player shows them."""

    frames: list[tuple[int, VideoFrame]]

    def at(self, due: Fraction, slot: Fraction) -> tuple[int, VideoFrame]:
        """Return what stands for a tick: the first picture in the slot, else the one on display."""
        coming = [shown for shown in self.frames if due <= shown[0] < due + slot]
        return coming[0] if coming else [shown for shown in self.frames if shown[0] < due][-1]


def decode_everything(path: Path) -> Everything:
    frames: list[VideoFrame] = []
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        codec.thread_type = "NONE"
        for packet in container.demux(video=0):
            if packet.size == 0 and packet.pts is not None:
                continue
            try:
                frames += codec.decode(packet if packet.size else None)
            except av.FFmpegError:
                continue
    times = sorted(frame.pts for frame in frames if frame.pts is not None)
    return Everything(list(zip(times, frames, strict=True)))
