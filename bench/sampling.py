"""Compare the CPU time of sampling a long video with that of FFmpeg's own command line.

    python -m bench.sampling [--json OUT] [--source CLIP] [--minutes 10] [--rounds 3]

Both read the same 1080p30 H.264 file (real footage, 2 B-frames, GOP 250) and give 2 pictures of
448×252 a second; runs alternate. CPU seconds are user + system time of the child processes, of
ours with the start of the interpreter and the packet table. The file is made once, in data/bench/.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bench.hardware import hardware
from models.videos import VideoFacts, seconds
from models.windows import WindowPlan
from web.probe import probe
from worker.video.decoder import Clock, Decoder

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "bikes.mp4"
FOLDER = ROOT / "data" / "bench"
FPS, WIDTH, HEIGHT = 2, 448, 252
ENCODED_SECONDS = 30  # the rest repeats them
RATE = 30


@dataclass(frozen=True, slots=True)
class Run:
    """What one run cost and gave."""

    cpu_seconds: float
    wall_seconds: float
    pictures: int


def main() -> None:
    options = _parse_options()
    path = FOLDER / f"1080p30-{options.minutes}min.mp4"
    if not path.exists():
        make_clip(options.source, path, options.minutes * 60)
    facts = probe(path, path.name)
    ways: dict[str, Callable[[], Run]] = {"reelnotes": lambda: measure(sample, path, facts)}
    if shutil.which("ffmpeg"):
        ways["ffmpeg"] = lambda: measure(run_ffmpeg, path, facts)
    else:
        print("ffmpeg is not installed here: only our own side is measured.")
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, run in ways.items():
            runs[name].append(run())
    _report(path, facts, runs, options.json)


def sample(path: Path, facts: VideoFacts) -> int:
    """Sample the whole file as a worker does; return the number of pictures."""
    plan = WindowPlan(
        fps=Fraction(FPS),
        frames=4,
        stride=1,
        hop=4,
        last_frame=seconds(facts, facts.last_pts),
        end=seconds(facts, facts.end_pts),
    )
    clock = Clock(facts.stream_index, Fraction(facts.time_base), facts.origin_pts, facts.last_pts)
    windows = [plan.sample_times(window) for window in range(len(plan))]
    decoder = Decoder()
    try:
        sampled = decoder.sample(path, clock, windows, Fraction(1, FPS), (WIDTH, HEIGHT))
        return sum(len(window.frames) for window in sampled)
    finally:
        decoder.close()


def run_ffmpeg(path: Path, facts: VideoFacts) -> int:
    process = subprocess.Popen(_ffmpeg_command(path), stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, process.stdout as pipe:
        size = WIDTH * HEIGHT * 3
        return sum(1 for _ in iter(lambda: pipe.read(size), b""))


def _ffmpeg_command(path: Path) -> list[str]:
    picture = f"fps={FPS},scale={WIDTH}:{HEIGHT}"
    output = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return ["ffmpeg", "-v", "error", "-i", str(path), "-an", "-vf", picture, *output]


def measure(way: Callable[[Path, VideoFacts], int], path: Path, facts: VideoFacts) -> Run:
    """Run it and count the CPU time of the children that it starts and waits for."""
    started, before = perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    pictures = way(path, facts)
    wall, after = perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(round(cpu, 2), round(wall, 2), pictures)


def make_clip(source: Path, path: Path, length: int) -> None:
    """Write a 1080p30 H.264 clip of `length` seconds: footage that repeats every 30 s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    once = path.parent / f"1080p30-{source.stem}.mp4"
    if not once.exists():
        print(f"Encoding {once.name} from {source.name}; this takes a minute or so, once.")
        _encode(source, once)
    unfinished = path.with_suffix(".part")
    with av.open(str(unfinished), "w", format="mp4") as output, av.open(str(once)) as part:
        stream = output.add_stream_from_template(part.streams.video[0])
        for repeat in range(length // ENCODED_SECONDS):
            part.seek(0)
            for packet in part.demux(video=0):
                if packet.pts is not None and packet.dts is not None:
                    shift = round(repeat * ENCODED_SECONDS / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    output.mux(packet)
    os.replace(unfinished, path)


def _encode(source: Path, path: Path) -> None:
    unfinished = path.with_suffix(".part")
    with av.open(str(unfinished), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=RATE, options=_encoder_options())
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for number, frame in zip(range(ENCODED_SECONDS * RATE), _footage(source), strict=False):
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    os.replace(unfinished, path)


def _encoder_options() -> dict[str, str]:
    return {"preset": "veryfast", "crf": "23", "bf": "2", "g": "250"}


def _footage(source: Path) -> Iterator[VideoFrame]:
    """Yield 1080p pictures of the source, forwards without end."""
    for _ in cycle([None]):
        with av.open(str(source)) as container:
            for frame in container.decode(video=0):
                yield frame.reformat(1920, 1080, "yuv420p", interpolation="BICUBIC")


def _report(path: Path, facts: VideoFacts, runs: dict[str, list[Run]], out: Path | None) -> None:
    length = float(seconds(facts, facts.end_pts))
    cpu = {name: median(run.cpu_seconds for run in of) for name, of in runs.items()}
    print(f"{date.today()}  {hardware()}")
    print(
        f"{path.name}: {length:.0f} s, {facts.width}×{facts.height}, {path.stat().st_size >> 20} MiB"
    )
    print("command: python -m bench.sampling" + "".join(f" {word}" for word in sys.argv[1:]))
    print(f"{'':12}{'CPU s':>8}{'wall s':>8}{'× real time':>13}{'pictures':>10}")
    for name, of in runs.items():
        wall = median(run.wall_seconds for run in of)
        print(f"{name:12}{cpu[name]:8.1f}{wall:8.1f}{length / wall:13.1f}{of[0].pictures:10d}")
    ratio = cpu["ffmpeg"] / cpu["reelnotes"] if "ffmpeg" in cpu else None
    if ratio is not None:
        print(f"ffmpeg needs {ratio:.2f} times the CPU seconds (medians of {len(runs['ffmpeg'])}).")
    if out is not None:
        result = {
            "date": date.today().isoformat(),
            "hardware": hardware(),
            "video_seconds": length,
            "ratio": ratio,
            "runs": {name: [asdict(run) for run in of] for name, of in runs.items()},
        }
        out.write_text(json.dumps(result, indent=2) + "\n")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--source", type=Path, default=SAMPLE, help="footage to make the file of")
    parser.add_argument("--minutes", type=int, default=10, help="length of the file (default 10)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
