"""Measure the whole way of a job: `python -m bench.pipeline [CLIP…]`.

Runs `reelnotes serve` in a throwaway folder, with the settings of the environment (COMMENTATOR …),
submits each clip as often as makes MINUTES of video, and measures from the first submit to the last
segment: times real time, CPU seconds, the median window, how busy the GPUs were if there are any, and
the most memory that a worker, and any one decoder, has taken since it started: VmHWM, which the kernel
keeps, in megabytes of 10^6 bytes. Ends with an error unless every export tells every window of a job
that is done. Without a clip: the sample.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.footage import SAMPLE
from bench.gpu_watch import GpuWatch
from bench.hardware import hardware
from client import Client
from serve.running import find

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Run:
    clip: str
    width: int
    height: int
    video_seconds: float
    wall_seconds: float
    upload_seconds: float  # of the first submit, until the job is queued
    stored: list[tuple[float, int]]  # seconds since the first submit, windows stored by then
    cpu_seconds: float  # of the worker and its decoders
    windows: int
    window_ms: float  # median, from the end of the one before to the end of this one
    decode_ms: float
    inference_ms: float
    worker_mb: float  # peak resident memory of the worker process, since its start
    decoder_mb: float  # ... of the decoder process that took most
    gpu_busy: list[float]  # share of each GPU's time, from a fifth to four fifths of the wall time
    gpu_gb: list[float]  # most memory taken on each

    @property
    def realtime(self) -> float:
        return self.video_seconds / self.wall_seconds


def main() -> int:
    options = _parse_options()
    runs = []
    with tempfile.TemporaryDirectory(prefix="reelnotes-bench-") as folder:
        server = _serve(Path(folder))
        try:
            client = Client(_url(Path(folder), server))
            _measure(client, server, SAMPLE, 0.1)  # loads the networks
            for clip in options.clips:
                runs.append(_measure(client, server, clip, options.minutes))
        finally:
            server.terminate()
            server.wait()
    _report(runs, options.json)
    return 0


def _serve(folder: Path) -> "subprocess.Popen[bytes]":
    env = {
        **os.environ,
        "DATA_DIR": str(folder),
        "WEB_PORT": "0",
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }
    command = [sys.executable, "-m", "cli", "serve"]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)


def _url(folder: Path, server: "subprocess.Popen[bytes]") -> str:
    while (running := find(folder)) is None:
        if server.poll() is not None:
            raise SystemExit("The server didn't start: run `reelnotes serve` to see why.")
        time.sleep(0.1)
    return running.url


def _measure(client: Client, server: "subprocess.Popen[bytes]", clip: Path, minutes: float) -> Run:
    before = _Usage(server.pid)
    watch = GpuWatch()
    begun = time.perf_counter()
    first = client.submit(clip, {})
    duration_s = first["video"]["duration_ms"] / 1000
    copies = max(1, math.ceil(minutes * 60 / duration_s))
    upload_s = time.perf_counter() - begun
    ids = [first["id"], *(client.submit(clip, {})["id"] for _ in range(copies - 1))]
    stored: list[tuple[float, int]] = []
    open_ids = set(ids)
    while open_ids:
        jobs = [client.job(job_id) for job_id in ids]
        open_ids = {job["id"] for job in jobs if job["state"] not in ("done", "failed")}
        count = sum(job["windows_done"] for job in jobs)
        stored.append((round(time.perf_counter() - begun, 2), count))
        time.sleep(0.25 if open_ids else 0)
    wall_s = time.perf_counter() - begun
    after = _Usage(server.pid)
    watch.stop()
    timings = [t for job_id in ids for t in _exported(client, job_id)]
    return Run(
        clip.name,
        first["video"]["width"],
        first["video"]["height"],
        duration_s * copies,
        wall_s,
        upload_s,
        stored,
        after.cpu_s - before.cpu_s,
        len(timings),
        median(t["total_ms"] for t in timings),
        median(t["decode_ms"] for t in timings),
        median(t["vision_ms"] + t["generate_ms"] for t in timings),
        after.worker_mb,
        after.decoder_mb,
        watch.busy(begun + wall_s * 0.2, begun + wall_s * 0.8),
        watch.most_gb(),
    )


def _exported(client: Client, job_id: str) -> list[dict[str, Any]]:
    """Return the timings of a job's windows; refuse a job that isn't whole in every export."""
    job = client.job(job_id)
    segments = json.loads(client.export(job_id, "json"))["segments"]
    cues = client.export(job_id, "srt").count(" --> ")
    indices = [segment["index"] for segment in segments]
    if job["state"] != "done" or indices != list(range(len(indices))) or cues < len(indices):
        raise SystemExit(
            f"Job {job_id} is {job['state']}: {len(indices)} windows, {cues} captions."
        )
    return [segment["timings"] for segment in segments]


class _Usage:
    """What the worker and its decoders have used since they started. They all live on between jobs."""

    def __init__(self, server_pid: int) -> None:
        self.cpu_s = self.worker_mb = self.decoder_mb = 0.0
        for process in psutil.Process(server_pid).children(recursive=True):
            command = " ".join(process.cmdline())
            if "cli worker" in command:
                self.worker_mb = max(self.worker_mb, _peak_mb(process.pid))
            elif "worker.video.child" in command:
                self.decoder_mb = max(self.decoder_mb, _peak_mb(process.pid))
            elif "worker.video.gpu_child" in command:
                pass
            else:
                continue
            times = process.cpu_times()
            self.cpu_s += times.user + times.system


def _peak_mb(pid: int) -> float:
    """Return the most memory that a process has had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"Process {pid} has ended: its peak is unknown.")


def _report(runs: list[Run], out: Path | None) -> None:
    print(f"{date.today()}  {hardware()}")
    print("command: python -m bench.pipeline" + "".join(f" {word}" for word in sys.argv[1:]))
    print(
        f"{'clip':28}{'pixels':>10}{'video s':>9}{'wall s':>8}{'CPU s':>8}{'× real time':>13}{'window ms':>11}"
        f"{'decode':>8}{'infer':>7}{'worker MB':>12}{'decoder':>10}"
    )
    for run in runs:
        print(
            f"{run.clip[:27]:28}{f'{run.width}×{run.height}':>10}{run.video_seconds:9.0f}"
            f"{run.wall_seconds:8.1f}{run.cpu_seconds:8.1f}{run.realtime:13.1f}{run.window_ms:11.0f}{run.decode_ms:8.0f}"
            f"{run.inference_ms:7.0f}{run.worker_mb:12.0f}{run.decoder_mb:10.0f}"
        )
        for gpu, (busy, most) in enumerate(zip(run.gpu_busy, run.gpu_gb, strict=True)):
            print(
                f"  GPU {gpu}: {busy:.0%} busy, {most:.1f} GB at most; {run.windows} windows in all"
            )
    if out is not None:
        results = [{**asdict(run), "realtime": run.realtime} for run in runs]
        table = {"date": date.today().isoformat(), "hardware": hardware(), "runs": results}
        out.write_text(json.dumps(table, indent=2) + "\n")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clips", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--minutes", type=float, default=4, help="video for each clip (default 4)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
