"""Make long 1080p30 H.264 files of real footage: `python -m bench.footage OUT --minutes 60 [CLIP…]`.

A minute is encoded (2 B-frames, GOP 250) from the clips in turn, enlarged where they are smaller; the
rest of the file repeats its packets with later timestamps. Without a clip: the sample.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

SAMPLE = Path(__file__).parents[1] / "samples" / "bikes.mp4"
FOLDER = Path(__file__).parents[1] / "data" / "bench"
RATE = 30
ENCODED_FRAMES = 60 * RATE - 1  # not a whole number of samples: each repeat is sampled elsewhere
ENCODER = {"preset": "veryfast", "crf": "23", "bf": "2", "g": "250"}


def main() -> int:
    options = _parse_options()
    write_footage(options.clips, options.out, options.minutes)
    return 0


def footage(sources: Sequence[Path], minutes: int) -> Path:
    """Return the file of so many minutes in data/bench/; it is made once."""
    path = FOLDER / f"1080p30-{'-'.join(source.stem for source in sources)}-{minutes}min.mp4"
    if not path.exists():
        write_footage(sources, path, minutes)
    return path


def write_footage(sources: Sequence[Path], path: Path, minutes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    minute = path.with_suffix(".minute.mp4")
    print(f"Making {path.name}: encoding its first minute takes a minute or two.", flush=True)
    _encode(sources, minute)
    unfinished = path.with_suffix(".part")
    _repeat(minute, unfinished, minutes)
    os.replace(unfinished, path)
    minute.unlink()


def _encode(sources: Sequence[Path], path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=RATE, options=ENCODER)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for number, frame in zip(range(ENCODED_FRAMES), _pictures(sources), strict=False):
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _pictures(sources: Sequence[Path]) -> Iterator[VideoFrame]:
    """Yield 1080p pictures of the sources in turn, without end."""
    for source in cycle(sources):
        with av.open(str(source)) as container:
            for frame in container.decode(video=0):
                yield frame.reformat(1920, 1080, "yuv420p", interpolation="BICUBIC")


def _repeat(minute: Path, path: Path, minutes: int) -> None:
    """Copy the minute's packets so many times, each time a minute later."""
    with av.open(str(path), "w", format="mp4") as output, av.open(str(minute)) as part:
        stream = output.add_stream_from_template(part.streams.video[0])
        for repeat in range(minutes):
            part.seek(0)
            for packet in part.demux(video=0):
                if packet.pts is not None and packet.dts is not None:
                    shift = round(repeat * Fraction(ENCODED_FRAMES, RATE) / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    output.mux(packet)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="the MP4 file to write")
    parser.add_argument("clips", nargs="*", type=Path, default=[SAMPLE], help="footage to use")
    parser.add_argument("--minutes", type=int, default=60, help="length (default 60)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
