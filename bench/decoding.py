"""Compare how fast a worker's threads decode a whole video on the CPU and on the GPU (NVDEC).

    python -m bench.decoding CLIP [--threads 64] [--decoders 64] [--json OUT]

Samples it as jobs do by default, in chunks, at the size that minicpm looks at. Both ways in one run,
the GPU's first; CPU seconds are those of all decoders, their start included.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from math import sqrt
from pathlib import Path
from queue import Queue
from statistics import median
from time import perf_counter

import psutil

from bench.hardware import hardware
from models.facts import VideoFacts, seconds
from models.windows import WindowPlan
from settings import Settings
from web.probe import probe
from worker.video.decoder import Clock, Decoder
from worker.video.gpu import GpuDecoders, NoGpuDecoder
from worker.video.tables import SharedTables

SIDE = 448  # the square root of the pixels that a view has


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of decoding took."""

    decoders: int  # on the GPU; 0: none
    wall_seconds: float
    cpu_seconds: float
    packets_per_second: float  # of the video: decoded, or left out as nothing refers to them
    first_window_seconds: float  # of a chunk, median
    used_on_cpu: int  # decoders that were started there


def main() -> int:
    options = _parse_options()
    facts = probe(options.clip, options.clip.name)
    ways = []
    for decoders in (options.decoders, 0):
        try:
            ways.append(_decode(options.clip, facts, options.threads, decoders))
        except NoGpuDecoder as error:
            print(f"not on the GPU: {error}")
    print(f"{date.today()}  {hardware()}  {options.clip.name}, {options.threads} threads")
    for way in ways:
        where = f"{way.decoders} on the GPU" if way.decoders else "on the CPU"
        print(
            f"{where:>14}: {way.wall_seconds:6.1f} s, {way.packets_per_second:6.0f} packets/s, "
            f"{way.cpu_seconds:6.1f} CPU s, first window after {way.first_window_seconds:.1f} s, "
            f"decoders on the CPU: {way.used_on_cpu}"
        )
    if options.json:
        table = {"date": date.today().isoformat(), "hardware": hardware()}
        options.json.write_text(json.dumps({**table, "ways": [asdict(w) for w in ways]}, indent=2))
    return 0


def _decode(clip: Path, facts: VideoFacts, threads: int, decoders: int) -> Way:
    """Raises NoGpuDecoder."""
    settings, tables = Settings(), SharedTables()
    plan = _plan(facts, settings)
    clock = Clock(facts.stream_index, Fraction(facts.time_base), facts.origin_pts, facts.last_pts)
    slot = Fraction(settings.frame_stride) / settings.capture_fps
    chunks = range(0, len(plan), settings.chunk_windows)
    idle: Queue[Decoder] = Queue()
    own = [Decoder(tables=tables) for _ in range(threads)]
    for decoder in own:
        idle.put(decoder)
    begun = perf_counter()
    gpu = GpuDecoders(decoders, tables=tables) if decoders else None

    def work(first: int) -> float:
        """Decode a chunk; return how long its first window took."""
        stop = min(first + settings.chunk_windows, len(plan))
        asked = [plan.sample_times(window) for window in range(first, stop)]
        mine, began = idle.get(), perf_counter()
        request = (clip, clock, asked, slot, _size(facts))
        windows = gpu.sample(mine, *request) if gpu else mine.sample(*request)
        next(windows)
        waited = perf_counter() - began
        for _ in windows:
            pass
        idle.put(mine)
        return waited

    with ThreadPoolExecutor(threads) as pool:
        waits = list(pool.map(work, chunks))
    wall = perf_counter() - begun
    times = [child.cpu_times() for child in psutil.Process().children()]
    used = sum(decoder.child_pid is not None for decoder in own)
    for decoder in own:
        decoder.close()
    if gpu:
        gpu.close()
    cpu = sum(spent.user + spent.system for spent in times)
    return Way(decoders, wall, cpu, facts.frame_count / wall, median(waits), used)


def _plan(facts: VideoFacts, settings: Settings) -> WindowPlan:
    frames, stride = settings.frames_per_inference, settings.frame_stride
    return WindowPlan(
        fps=settings.capture_fps,
        frames=frames,
        stride=stride,
        hop=settings.window_hop or frames * stride,
        last_frame=seconds(facts, facts.last_pts),
        end=seconds(facts, facts.end_pts),
    )


def _size(facts: VideoFacts) -> tuple[int, int]:
    """Return about as many pixels as a view of minicpm has, in the picture's shape."""
    shape = sqrt(facts.width / facts.height)
    return round(SIDE * shape), round(SIDE / shape)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--threads", type=int, default=64, help="chunks at once (default 64)")
    parser.add_argument("--decoders", type=int, default=64, help="... on the GPU (default 64)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
