"""Measure everything but the network: how many windows a second are stored, `python -m bench.store`.

A real broker, a real store and real workers; only the commentator answers at once, or after SLEEP
milliseconds, as a network would. By default pictures are drawn, not decoded, so that the store is
what is measured; with --clip they are decoded from that file. --postgres takes a server's URL: a
database is made there and dropped.

    python -m bench.store [--processes 1,2,4] [--threads 16] [--windows 4000] [--sleep 0]
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import date
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
from sqlalchemy import func, select

from bench.hardware import hardware
from migrations import upgrade
from models import hints, jobs
from models.facts import VideoFacts
from models.ids import new_id
from models.parameters import parse_parameters
from models.segments import list_segments
from models.store import Store
from models.tables import CommentKind, Job, JobState, Segment
from models.videos import add_video
from serve.broker import configuration, find_server, free_port
from settings import Settings, read_settings
from web.probe import probe
from worker.app import follow_hints, open_site
from worker.commentator import (
    Accelerator,
    Comment,
    Draft,
    Frame,
    Matter,
    Prompt,
    Timings,
    Told,
    Window,
)
from worker.site import Site
from worker.video.decoder import Clock, Decoder, Sampled

ROOT = Path(__file__).parents[1]
SIZE = (448, 252)  # of the pictures that a vision-language model would take
SECONDS_TO_START = 60
SENTENCE = "Window {}: a person in a dark coat crosses the street from the left; two cars wait."


@dataclass(frozen=True, slots=True)
class Run:
    store: str
    processes: int
    threads: int  # of each
    pictures: str
    sleep_ms: float
    windows: int
    seconds: float  # from the hints to the last stored segment
    cpu_seconds: float  # of the workers, their decoders excepted
    steps_back: int  # segments that were stored after a later one of the video

    @property
    def windows_per_second(self) -> float:
        return self.windows / self.seconds


class Answering:
    """A commentator that takes a given time and says a sentence of ordinary length."""

    name = "builtin"  # whose queue it serves
    network: dict[str, str] | None = None

    def __init__(self, streams: int, sleep_s: float) -> None:
        self.streams = streams
        self._sleep_s = sleep_s

    def accelerator(self) -> Accelerator | None:
        return None

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        return SIZE

    def tell(self, matter: Matter, prompt: Prompt, draft: Draft) -> Told:
        return Told(reason="A benchmark tells no story.")

    def comment(
        self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
    ) -> Comment:
        begun = time.perf_counter()
        if self._sleep_s:  # even sleep(0) gives the processor away
            time.sleep(self._sleep_s)
        timings = Timings(generate_ms=1000 * (time.perf_counter() - begun))
        text = SENTENCE.format(window.index)
        return Comment(CommentKind.SAID, text, timings=timings, tokens_in=300, tokens_out=24)

    def close(self) -> None:
        pass


class Drawing(Decoder):
    """Gives the same few pictures for every window."""

    def sample(
        self,
        path: Path,
        clock: Clock,
        windows: Sequence[Sequence[Fraction]],
        slot: Fraction,
        size: tuple[int, int],
    ) -> Iterator[Sampled]:
        noise = np.random.default_rng(7).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
        picture = np.ascontiguousarray(noise.repeat(8, 0).repeat(8, 1))
        for times in windows:
            yield Sampled(tuple(Frame(int(t * 1000), t, picture) for t in times), 0.0)


class DrawnSite(Site):
    def decoder(self) -> Decoder:
        return Drawing()


def main() -> int:
    options = _parse_options()
    if options.worker:
        return _work(options.worker, options.threads, options.sleep, drawn=options.clip is None)
    runs = []
    for processes in map(int, options.processes.split(",")):
        with tempfile.TemporaryDirectory(prefix="reelnotes-bench-") as folder:
            runs.append(_measure(options, processes, Path(folder)))
            print(_line(runs[-1]), flush=True)
    if options.json is not None:
        _save(runs, options.json)
    return 0


def _work(name: str, threads: int, sleep_ms: float, *, drawn: bool) -> int:
    """Be one of the worker processes."""
    settings = read_settings()
    site = open_site(settings, Answering(threads, sleep_ms / 1000))
    if drawn:
        site = DrawnSite(**{field.name: getattr(site, field.name) for field in fields(Site)})
    return follow_hints(settings, name, site)


def _measure(options: argparse.Namespace, processes: int, folder: Path) -> Run:
    with _broker(folder) as redis_url, _database(options.postgres) as database_url:
        settings = Settings(data_dir=folder, database_url=database_url, redis_url=redis_url)
        store = Store.open(settings.store_url)
        upgrade(store)
        with _workers(options, processes, settings) as workers:
            job = _make_job(store, settings, options)
            before = sum(_cpu_s(worker) for worker in workers)
            begun = time.time()
            with store.write() as session:
                due = jobs.open_hints(
                    session, session.get_one(Job, job.id), settings.job_parallelism
                )
            hints.send_hints(hints.connect(redis_url), due)
            _wait_for_end(store, job.id)
            cpu_s = sum(_cpu_s(worker) for worker in workers) - before
        with store.read() as session:
            last = session.scalar(select(func.max(Segment.created_ms))) or 0
            created = [segment.created_ms for segment in list_segments(session, job.id)]
    return Run(
        "postgres" if database_url else "sqlite",
        processes,
        options.threads,
        options.clip.name if options.clip else "drawn",
        options.sleep,
        len(created),
        last / 1000 - begun,
        cpu_s,
        sum(later < earlier for earlier, later in pairwise(created)),
    )


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    port, password = free_port(), secrets.token_urlsafe(8)
    config = folder / "broker.conf"
    config.write_text(configuration(port, password, folder))
    server = subprocess.Popen([find_server(), str(config)], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _database(server: str) -> Iterator[str]:
    """Yield the URL of an empty database of the server; "" for SQLite."""
    if not server:
        yield ""
        return
    import psycopg  # not installed where SQLite is enough

    name = f"reelnotes_bench_{new_id()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{server}/{name}"
    finally:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _workers(
    options: argparse.Namespace, processes: int, settings: Settings
) -> Iterator[list[psutil.Process]]:
    env = {
        **os.environ,
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
    }
    command = [sys.executable, "-m", "bench.store", "--sleep", str(options.sleep)]
    command += ["--threads", str(options.threads)]
    command += ["--clip", str(options.clip)] if options.clip else []
    started = [
        subprocess.Popen(
            [*command, "--worker", f"w{n}"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL
        )
        for n in range(processes)
    ]
    try:
        app = hints.connect(settings.redis_url)
        deadline = time.monotonic() + SECONDS_TO_START
        while len(app.control.ping(timeout=0.5) or []) < processes:
            if time.monotonic() > deadline:
                raise SystemExit("The workers didn't start.")
        yield [psutil.Process(worker.pid) for worker in started]
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait()


def _make_job(store: Store, settings: Settings, options: argparse.Namespace) -> Job:
    """Queue the clip, or a made-up video of so many windows."""
    end = options.windows * 4000
    drawn = VideoFacts(
        "mp4", "h264", 0, 1920, 1080, "1/1000", 0, end - 1, end, end // 40, False, "", []
    )
    facts = probe(options.clip, options.clip.name) if options.clip else drawn
    parameters = parse_parameters({}, settings)
    with store.write() as session:
        video = add_video(session, new_id(), new_id() * 4, 1000, facts)
        job = jobs.create_job(
            session, video, "clip.mp4", parameters, chunk_windows=settings.chunk_windows
        )
    if options.clip:
        place = settings.data_dir / "media" / "videos" / video.id
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(options.clip.absolute())
    return job


def _wait_for_end(store: Store, job_id: str) -> None:
    while True:
        with store.read() as session:
            state = session.scalar(select(Job.state).where(Job.id == job_id))
        if state == JobState.DONE:
            return
        if state == JobState.FAILED:
            raise SystemExit("The job failed: run a worker by hand to see why.")
        time.sleep(0.2)


def _cpu_s(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return times.user + times.system


def _line(run: Run) -> str:
    return (
        f"{run.store:9} {run.processes} × {run.threads} threads, {run.pictures}, "
        f"sleep {run.sleep_ms:g} ms: {run.windows} windows in {run.seconds:.1f} s = "
        f"{run.windows_per_second:.0f}/s; {1000 * run.cpu_seconds / run.windows:.2f} CPU ms a "
        f"window; {run.steps_back} steps back"
    )


def _save(runs: list[Run], out: Path) -> None:
    results = [asdict(run) | {"windows_per_second": run.windows_per_second} for run in runs]
    table = {"date": date.today().isoformat(), "hardware": hardware(), "runs": results}
    out.write_text(json.dumps(table, indent=2) + "\n")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--processes", default="1", help="worker processes; several: 1,2,4")
    parser.add_argument("--threads", type=int, default=16, help="threads of each (default 16)")
    parser.add_argument("--windows", type=int, default=4000, help="of a drawn video (4000)")
    parser.add_argument("--sleep", type=float, default=0, help="milliseconds for a comment (0)")
    parser.add_argument("--clip", type=Path, help="decode this file instead of drawing")
    parser.add_argument("--postgres", default="", help="a server, as postgresql://user@host")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
