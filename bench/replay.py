"""Compare the simulation with a real run: `python -m bench.replay [CLIP] [--jobs 24] [--load 0.8]`.

Runs `reelnotes serve` with the built-in commentator in a throwaway folder; jobs of three lengths arrive
at random moments. The simulation is given the moments of their arrival and what a window of each job
took a stream, both as measured in the run, and foretells when each job begins and ends. Beside that it
foretells from the speed that was measured on one job before the run: what a person would know.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from bench.footage import SAMPLE
from bench.hardware import hardware
from bench.queueing import Arrival, Fleet, Outcome, Speed, simulate
from bench.simulate import spread
from client import Client
from serve.running import find

if TYPE_CHECKING:
    from web.shapes import JobShape

ROOT = Path(__file__).parents[1]
STREAMS = 2
CHUNK_WINDOWS = 4
_CHUNK_S = 0.1  # from a free stream to the next chunk's first window: Celery looks every 0.05 s
_LENGTHS = ("1", "4", "12")
"""`capture_fps` of a job: of the same clip, so many more windows, each of two frames."""


def main() -> int:
    options = _parse_options()
    with _server() as client:
        _run_alone(client, options.clip, _LENGTHS[0])  # loads the networks
        before = _window_s(client, _run_alone(client, options.clip, _LENGTHS[-1]))
        jobs = _run(client, options, before)
        window_s = [_window_s(client, job) for job in jobs]
    _report(
        options,
        jobs,
        simulate(_arrivals(jobs, window_s), _fleet(1.0)),
        simulate(_arrivals(jobs, [before] * len(jobs)), _fleet(1.0)),
    )
    return 0


@contextmanager
def _server() -> Iterator[Client]:
    with tempfile.TemporaryDirectory(prefix="reelnotes-bench-") as folder:
        env = {
            **os.environ,
            **{"DATA_DIR": folder, "WEB_PORT": "0", "DATABASE_URL": "", "REDIS_URL": ""},
            **{"WORKER_THREADS": str(STREAMS), "CHUNK_WINDOWS": str(CHUNK_WINDOWS)},
        }
        command = [sys.executable, "-m", "cli", "serve"]
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
        try:
            while (running := find(Path(folder))) is None:
                if server.poll() is not None:
                    raise SystemExit("The server didn't start: run `reelnotes serve` to see why.")
                time.sleep(0.1)
            with Client(running.url) as client:
                yield client
        finally:
            server.terminate()
            server.wait()


def _submit(client: Client, clip: Path, fps: str) -> str:
    parameters = {"capture_fps": fps, "frames_per_inference": "2", "frame_stride": "1"}
    return client.submit(clip, parameters)["id"]


def _wait(client: Client, job_id: str) -> "JobShape":
    while (job := client.job(job_id))["state"] not in ("done", "failed"):
        time.sleep(0.1)
    if job["state"] == "failed":
        raise SystemExit(f"A job failed: {job['failure']}")
    return job


def _run_alone(client: Client, clip: Path, fps: str) -> "JobShape":
    return _wait(client, _submit(client, clip, fps))


def _seconds(job: "JobShape") -> tuple[float, float, float]:
    """Return when a job arrived, began and ended."""
    assert job["started_ms"] is not None
    assert job["finished_ms"] is not None
    return job["created_ms"] / 1000, job["started_ms"] / 1000, job["finished_ms"] / 1000


def _window_s(client: Client, job: "JobShape") -> float:
    """Return the seconds that a window of the job took a stream, on average."""
    segments = client.segments(job["id"])["segments"]
    return fmean(segment["timings"]["total_ms"] for segment in segments) / 1000


def _fleet(window_s: float) -> Fleet:
    speed = Speed(((STREAMS, STREAMS / window_s),))
    return Fleet(1, STREAMS, speed, chunk_windows=CHUNK_WINDOWS, chunk_s=_CHUNK_S)


def _run(client: Client, options: argparse.Namespace, window_s: float) -> list["JobShape"]:
    """Submit jobs at random moments, so that the workers are busy for the wanted share; return them ended."""
    dice = random.Random(options.seed)
    windows = fmean(_run_alone(client, options.clip, fps)["windows_total"] for fps in _LENGTHS)
    mean_gap_s = windows * window_s / (options.load * STREAMS)
    ids = []
    due = time.monotonic()
    for number in range(options.jobs):
        time.sleep(max(0.0, due - time.monotonic()))
        ids.append(_submit(client, options.clip, _LENGTHS[number % len(_LENGTHS)]))
        due += dice.expovariate(1 / mean_gap_s)
    return [_wait(client, job_id) for job_id in ids]


def _arrivals(jobs: Sequence["JobShape"], window_s: Sequence[float]) -> list[Arrival]:
    first = min(_seconds(job)[0] for job in jobs)
    return [
        Arrival(_seconds(job)[0] - first, job["windows_total"], work=seconds)
        for job, seconds in zip(jobs, window_s, strict=True)
    ]


def _report(
    options: argparse.Namespace, jobs: Sequence["JobShape"], informed: Outcome, from_before: Outcome
) -> None:
    moments = sorted(_seconds(job) for job in jobs)
    waits = [started - arrived for arrived, started, _ in moments]
    stays = [ended - arrived for arrived, _, ended in moments]
    measured = _figures(waits, stays, max(ended for *_, ended in moments) - moments[0][0])
    foretold = {"informed": _of(informed), "from before": _of(from_before)}
    print(
        f"{'seconds':22}{'measured':>10}" + "".join(f"{name:>14}{'error':>7}" for name in foretold)
    )
    for what, value in measured.items():
        print(
            f"{what:22}{value:10.2f}"
            + "".join(
                f"{one[what]:14.2f}{_error(value, one[what]):>7}" for one in foretold.values()
            )
        )
    if options.json:
        table = {
            "date": date.today().isoformat(),
            "hardware": hardware(),
            "load_average": os.getloadavg()[1],
            "clip": options.clip.name,
            "jobs": len(jobs),
            "seed": options.seed,
            "windows": sum(job["windows_total"] for job in jobs),
            "measured": measured,
            "foretold": foretold,
        }
        options.json.write_text(json.dumps(table, indent=2) + "\n")


def _of(outcome: Outcome) -> dict[str, float]:
    waits = [fate.waiting_s for fate in outcome.fates]
    return _figures(waits, [fate.sojourn_s for fate in outcome.fates], outcome.ended_s)


def _figures(waits: Sequence[float], stays: Sequence[float], ended_s: float) -> dict[str, float]:
    begun, done = spread(waits), spread(stays)
    return {
        **{f"until begun, {name}": begun[name] for name in ("mean", "p50", "p95")},
        **{f"until done, {name}": done[name] for name in ("mean", "p50", "p95")},
        "all done": ended_s,
    }


def _error(measured: float, foretold: float) -> str:
    return f"{foretold / measured - 1:+.0%}" if measured else ""


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", nargs="?", type=Path, default=SAMPLE, help="to comment (sample)")
    parser.add_argument("--jobs", type=int, default=24, help="that arrive (24)")
    parser.add_argument("--load", type=float, default=0.8, help="share of time to be busy (0.8)")
    parser.add_argument("--seed", type=int, default=1, help="from which moments are drawn (1)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
