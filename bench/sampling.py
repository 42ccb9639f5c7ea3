"""Compare the CPU time of sampling a long video with that of FFmpeg's own command line.

    python -m bench.sampling [--json OUT] [--source CLIP] [--minutes 10] [--rounds 3] [--fps 2]

and with that of OpenCV and torchcodec, where they are installed. All read the same 1080p30 H.264
file (real footage, 2 B-frames, GOP 250) and give FPS pictures of 448×252 a second; runs alternate.
CPU seconds are user + system time of the child processes, of Python's with the start of the
interpreter, of ours with the packet table. The file is made once, in data/bench/.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.footage import RATE, SAMPLE, footage
from bench.hardware import hardware
from models.facts import VideoFacts, seconds
from models.windows import WindowPlan
from web.probe import probe
from worker.video.decoder import Clock, Decoder

WIDTH, HEIGHT = 448, 252


@dataclass(frozen=True, slots=True)
class Run:
    """What one run cost and gave."""

    cpu_seconds: float
    wall_seconds: float
    pictures: int


def main() -> None:
    options = _parse_options()
    if options.reader:
        return READERS[options.reader](options.source, options.fps)
    path = footage([options.source], options.minutes)
    facts = probe(path, path.name)
    ways: dict[str, Callable[[], int]] = {"reelnotes": lambda: sample(path, facts, options.fps)}
    for name, command in _others(path, options.fps).items():
        if name in options.against.split(","):
            ways[name] = partial(count_pictures, command)
    print("measured:", ", ".join(ways), flush=True)
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            runs[name].append(measure(way))
    _report(path, facts, runs, options.json)


def _others(path: Path, fps: Fraction) -> dict[str, list[str]]:
    """Return the commands of those that are installed here."""
    commands = {reader: _reader_command(reader, path, fps) for reader in READERS}
    found = {reader: command for reader, command in commands.items() if find_spec(reader)}
    return found | ({"ffmpeg": _ffmpeg_command(path, fps)} if shutil.which("ffmpeg") else {})


def sample(path: Path, facts: VideoFacts, fps: Fraction) -> int:
    """Sample the whole file as a worker does; return the number of pictures."""
    plan = WindowPlan(
        fps=fps,
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
        sampled = decoder.sample(path, clock, windows, 1 / fps, (WIDTH, HEIGHT))
        return sum(len(window.frames) for window in sampled)
    finally:
        decoder.close()


def count_pictures(command: list[str]) -> int:
    """Run a program that writes raw pictures; return how many."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process, process.stdout as pipe:
        size = WIDTH * HEIGHT * 3
        return sum(1 for _ in iter(lambda: pipe.read(size), b""))


def _ffmpeg_command(path: Path, fps: Fraction) -> list[str]:
    picture = f"fps={fps},scale={WIDTH}:{HEIGHT}"
    output = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return ["ffmpeg", "-v", "error", "-i", str(path), "-an", "-vf", picture, *output]


def _reader_command(reader: str, path: Path, fps: Fraction) -> list[str]:
    options = ["--reader", reader, "--source", str(path), "--fps", str(fps)]
    return [sys.executable, "-m", "bench.sampling", *options]


def read_with_opencv(path: Path, fps: Fraction) -> None:
    """Write the pictures of the file as OpenCV users get them: grab all, retrieve what is due."""
    import cv2

    video = cv2.VideoCapture(str(path))
    step, due = RATE / fps, Fraction(0)
    for number in count():
        if not video.grab():
            return
        if number >= due:
            _, picture = video.retrieve()
            picture = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            sys.stdout.buffer.write(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).tobytes())
            due += step


def read_with_torchcodec(path: Path, fps: Fraction) -> None:
    """Write the pictures of the file as torchcodec gives them for a list of times."""
    decoders, transforms = map(import_module, ("torchcodec.decoders", "torchcodec.transforms"))
    resize = transforms.Resize((HEIGHT, WIDTH))
    video = decoders.VideoDecoder(str(path), transforms=[resize], dimension_order="NHWC")
    number = int(video.metadata.end_stream_seconds * fps)
    for first in range(0, number, 4):
        times = [float(i / fps) for i in range(first, min(first + 4, number))]
        sys.stdout.buffer.write(video.get_frames_played_at(times).data.numpy().tobytes())


READERS = {"cv2": read_with_opencv, "torchcodec": read_with_torchcodec}


def measure(way: Callable[[], int]) -> Run:
    """Run it and count the CPU time of the children that it starts and waits for."""
    started, before = perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    pictures = way()
    wall, after = perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(round(cpu, 2), round(wall, 2), pictures)


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
    for name in cpu.keys() - {"reelnotes"}:
        ratio = cpu[name] / cpu["reelnotes"]
        print(f"{name} needs {ratio:.2f} times the CPU seconds (medians of {len(runs[name])}).")
    if out is not None:
        result = {
            "date": date.today().isoformat(),
            "hardware": hardware(),
            "video_seconds": length,
            "ratios": {name: cpu[name] / cpu["reelnotes"] for name in cpu},
            "runs": {name: [asdict(run) for run in of] for name, of in runs.items()},
        }
        out.write_text(json.dumps(result, indent=2) + "\n")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--source", type=Path, default=SAMPLE, help="footage to make the file of")
    parser.add_argument("--minutes", type=int, default=10, help="length of the file (default 10)")
    parser.add_argument(
        "--against", default="ffmpeg,cv2,torchcodec", help="those to compare with (default: all)"
    )
    parser.add_argument("--fps", type=Fraction, default=Fraction(2), help="1/30: every 30 s")
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
