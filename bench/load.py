"""Measure the web server under load: `python -m bench.load`.

Runs `reelnotes serve` in a throwaway folder, with a real worker on real jobs. 200 people poll lists and
jobs, 50 watch jobs live, and after a while 20 upload 500 MB at once; bench/people.py is what they do.
They live in three processes of their own, on the same processors: their CPU time is told. Told for each
route, without and with uploads under way: how many, median, 99th percentile and longest time to the last
byte, and what wasn't answered well. Memory is VmHWM, the peak that the kernel keeps.

    python -m bench.load [--pollers 200] [--watchers 50] [--uploaders 20] [--megabytes 500]
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

import av
import psutil

from bench.browser import Met, Notes, Plan
from bench.footage import SAMPLE
from bench.hardware import hardware
from client import Client
from serve.running import find

ROOT = Path(__file__).parents[1]
LONGEST_ARRIVAL_S = 10.0
SAMPLING_S = 0.5
SPARE_BYTES = 2 * 2**30
SECONDS_TO_UPLOAD = 900


@dataclass(frozen=True, slots=True)
class Route:
    route: str
    uploads: bool  # some were under way
    count: int
    median_ms: float
    p99_ms: float
    longest_ms: float
    errors: dict[str, int]  # by status; "0": no answer


@dataclass(frozen=True, slots=True)
class Process:
    """What one kind of processes took."""

    name: str
    most: int  # of them at once
    peak_mb: float  # of the one that took most: VmHWM, 10^6 bytes
    cpu_s: float
    threads: int


@dataclass(frozen=True, slots=True)
class Result:
    date: str
    hardware: str
    command: str
    seconds: float
    windows: int  # commented meanwhile
    upload_mb_s: float | None  # of all together, while they lasted
    cpus_busy: float
    people_cpu_s: dict[str, float]
    routes: list[Route]
    events: Route
    watchers: dict[str, int]  # segments seen, lost, doubled, repeated after a reconnect; reconnects
    processes: list[Process]
    faults: dict[str, int]

    @property
    def errors(self) -> int:
        answers = sum(sum(route.errors.values()) for route in self.routes)
        return answers + self.watchers["lost"] + self.watchers["doubled"]


def main() -> int:
    options = _parse_options()
    room = options.uploaders * options.megabytes * 10**6 + SPARE_BYTES
    with tempfile.TemporaryDirectory(prefix="reelnotes-bench-", dir=options.folder) as folder:
        if shutil.disk_usage(folder).free < room:
            raise SystemExit(
                f"{folder} has no room for {room / 1e9:.0f} GB: name another --folder."
            )
        with _serving(Path(folder)) as (server, url):
            result = _measure(options, Path(folder), server, url)
    _report(result)
    if options.json is not None:
        table = {**asdict(result), "errors": result.errors}
        options.json.write_text(json.dumps(table, indent=2) + "\n")
    return 1 if result.errors else 0


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    env = {**os.environ, "DATA_DIR": str(folder / "data"), "WEB_PORT": "0"}
    env |= {"DATABASE_URL": "", "REDIS_URL": "", "PASSWORD": ""}
    command = [sys.executable, "-m", "cli", "serve"]
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        while (running := find(folder / "data")) is None:
            if server.poll() is not None:
                raise SystemExit("The server didn't start: run `reelnotes serve` to see why.")
            time.sleep(0.1)
        yield psutil.Process(server.pid), running.url
    finally:
        server.terminate()
        server.wait()


def _measure(options: argparse.Namespace, folder: Path, server: psutil.Process, url: str) -> Result:
    client = Client(url)
    print("Making jobs to look at …", flush=True)
    live = _make_jobs(client, folder, options)
    print("Letting people in …", flush=True)
    usage = _Usage(server)
    begun = time.time()
    until = begun + options.seconds + (SECONDS_TO_UPLOAD if options.uploaders else 0)
    stop = folder / "stop"
    arrival_s = min(LONGEST_ARRIVAL_S, options.seconds / 3)
    address = urlsplit(url)
    notes: dict[str, Notes] = {}

    def send(role: str, people: int, **more: Any) -> threading.Thread:
        plan = Plan(
            address.hostname or "",
            address.port or 0,
            people,
            arrival_s,
            until,
            str(stop),
            live,
            **more,
        )
        thread = threading.Thread(target=lambda: notes.update({role: _let_in(role, plan)}))
        thread.start()
        return thread

    crowd = [send("pollers", options.pollers), send("watchers", options.watchers)]
    time.sleep(options.seconds)
    uploading = time.time()
    uploads = send(
        "uploaders",
        options.uploaders,
        clip=str(SAMPLE),
        upload_bytes=options.megabytes * 10**6,
    )
    uploads.join()
    uploaded = time.time()
    stop.touch()
    for thread in crowd:
        thread.join()
    seconds = time.time() - begun
    processes = usage.end()
    return Result(
        date.today().isoformat(),
        hardware(),
        "python -m bench.load" + "".join(f" {word}" for word in sys.argv[1:]),
        seconds,
        sum(client.job(job_id)["windows_done"] for job_id in live),
        options.uploaders * options.megabytes / (uploaded - uploading)
        if options.uploaders
        else None,
        usage.busy_s / seconds,
        {role: each.cpu_s for role, each in notes.items()},
        _routes([met for each in notes.values() for met in each.met], uploading, uploaded),
        _route("events", True, [ms for _, ms in notes["watchers"].event_ms], []),
        {
            name: getattr(notes["watchers"], name)
            for name in ("seen", "lost", "doubled", "repeated", "reconnects")
        },
        processes,
        dict(Counter(fault for each in notes.values() for fault in each.faults).most_common(20)),
    )


def _make_jobs(client: Client, folder: Path, options: argparse.Namespace) -> list[str]:
    """Have a list of old jobs, and some long ones that begin now; return the latter's ids."""
    small = {"capture_fps": "1/10", "frames_per_inference": "1", "frame_stride": "1"}
    old = [client.submit(SAMPLE, small)["id"] for _ in range(options.old_jobs)]
    while any(client.job(job_id)["state"] != "done" for job_id in old):
        time.sleep(0.2)
    ids = []
    for number in range(options.live_jobs):
        clip = folder / f"live{number}.mp4"
        _repeat(SAMPLE, clip, round(options.live_minutes * 6) + number)
        ids.append(client.submit(clip, {})["id"])
        clip.unlink()
    return ids


def _repeat(source: Path, path: Path, times: int) -> None:
    """Write a clip's packets so many times, one after the other."""
    with av.open(str(path), "w", format="mp4") as output, av.open(str(source)) as clip:
        video = clip.streams.video[0]
        stream = output.add_stream_from_template(video)
        assert video.time_base is not None
        length = round(Fraction(clip.duration or 0, av.time_base) / video.time_base)
        for repeat in range(times):
            clip.seek(0)
            for packet in clip.demux(video):
                if packet.pts is not None and packet.dts is not None:
                    packet.pts, packet.dts = (
                        packet.pts + repeat * length,
                        packet.dts + repeat * length,
                    )
                    packet.stream = stream
                    output.mux(packet)


def _let_in(role: str, plan: Plan) -> Notes:
    process = subprocess.run(
        [sys.executable, "-m", "bench.people", role],
        cwd=ROOT,
        input=json.dumps(asdict(plan)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    values = json.loads(process.stdout)
    return Notes(**{**values, "met": [Met(**met) for met in values["met"]]})


class _Usage:
    """What the server's processes take, looked at twice a second."""

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self._ended = threading.Event()
        self._before: dict[int, float] = {}
        self._cpu: dict[str, dict[int, float]] = {}
        self._peak: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._threads: Counter[str] = Counter()
        self._idle = psutil.cpu_times().idle
        self.busy_s = 0.0
        self._begun = time.time()
        self._look()
        self._before = {pid: cpu for pids in self._cpu.values() for pid, cpu in pids.items()}
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> list[Process]:
        self._ended.set()
        self._thread.join()
        elapsed = time.time() - self._begun
        self.busy_s = elapsed * (psutil.cpu_count() or 1) - (psutil.cpu_times().idle - self._idle)
        return [
            Process(
                name,
                self._most[name],
                self._peak[name] / 1e6,
                sum(cpu - self._before.get(pid, 0) for pid, cpu in pids.items()),
                self._threads[name],
            )
            for name, pids in self._cpu.items()
        ]

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLING_S):
            self._look()

    def _look(self) -> None:
        counts: Counter[str] = Counter()
        for process in self._server.children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):
                name = _kind(process.cmdline())
                if not name:
                    continue
                counts[name] += 1
                times = process.cpu_times()
                self._cpu.setdefault(name, {})[process.pid] = times.user + times.system
                self._peak[name] = max(self._peak[name], _peak_bytes(process.pid))
                self._threads[name] = max(self._threads[name], process.num_threads())
        for name, count in counts.items():
            self._most[name] = max(self._most[name], count)


def _kind(command: Sequence[str]) -> str:
    line = " ".join(command)
    words = {
        "web.wsgi:app": "web",
        "cli worker": "worker",
        "cli beat": "beat",
        "broker.conf": "broker",
        "worker.video.child": "decoder",
        "worker.video.probe": "probe",
    }
    if "valkey" in line or "redis-server" in line:
        return "broker"
    return next((name for word, name in words.items() if word in line), "")


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0  # it has ended


def _routes(met: Sequence[Met], begun: float, ended: float) -> list[Route]:
    groups: dict[tuple[str, bool], list[Met]] = {}
    for each in met:
        groups.setdefault((each.route, begun <= each.at < ended), []).append(each)
    return [
        _route(route, uploads, [each.ms for each in group], [each.status for each in group])
        for (route, uploads), group in sorted(groups.items())
    ]


def _route(name: str, uploads: bool, ms: Sequence[float], statuses: Sequence[int]) -> Route:
    errors = Counter(str(status) for status in statuses if not 200 <= status < 400)
    p99 = quantiles(ms, n=100, method="inclusive")[98] if len(ms) > 1 else max(ms, default=0)
    return Route(
        name, uploads, len(ms), median(ms) if ms else 0, p99, max(ms, default=0), dict(errors)
    )


def _report(result: Result) -> None:
    print(f"{result.date}  {result.hardware}\ncommand: {result.command}")
    print(
        f"{result.seconds:.0f} s, {result.windows} windows commented, {result.cpus_busy:.2f} processors busy"
        + (f", uploads {result.upload_mb_s:.0f} MB/s" if result.upload_mb_s else "")
    )
    print(
        f"{'route':28}{'uploads':>8}{'count':>8}{'median ms':>11}{'p99':>9}{'longest':>9}  errors"
    )
    for route in [*result.routes, result.events]:
        print(
            f"{route.route:28}{'yes' if route.uploads else 'no':>8}{route.count:8}{route.median_ms:11.1f}"
            f"{route.p99_ms:9.0f}{route.longest_ms:9.0f}  {route.errors or ''}"
        )
    print(f"watchers: {result.watchers}")
    for process in result.processes:
        print(
            f"{process.name:8} ×{process.most:<3} peak {process.peak_mb:6.0f} MB, {process.threads} threads, "
            f"{process.cpu_s:6.1f} CPU s"
        )
    print("people, CPU s:", {role: round(cpu, 1) for role, cpu in result.people_cpu_s.items()})
    for fault, count in result.faults.items():
        print(f"  {count} × {fault}")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pollers", type=int, default=200, help="people who poll (200)")
    parser.add_argument("--watchers", type=int, default=50, help="people who watch live (50)")
    parser.add_argument("--uploaders", type=int, default=20, help="uploads at once (20)")
    parser.add_argument("--megabytes", type=int, default=500, help="of each, 10^6 bytes (500)")
    parser.add_argument("--old-jobs", type=int, default=30, help="that the list shows (30)")
    parser.add_argument("--seconds", type=float, default=45, help="before uploads begin (45)")
    parser.add_argument("--live-jobs", type=int, default=5, help="that are watched (5)")
    parser.add_argument("--live-minutes", type=float, default=20, help="of each live video (20)")
    parser.add_argument("--folder", type=Path, help="where there is room (the temporary folder)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
