"""Production's topology as several hosts that share no folder, with object storage on one of its own.

A worker is cut off past its lease, and comes back.
"""

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from models import jobs
from models.errors import StoreBusy
from models.media import folder_media
from models.store import Store
from models.tables import Chunk, Job, JobState, Segment, Table
from serve.broker import configuration, find_server
from settings import Settings
from tests.conftest import NO_POSTGRES
from tests.faults.feeder import PARAMETERS
from tests.faults.inspection import faults_of
from tests.journey.hosts import (
    NETWORK,
    Host,
    Network,
    NoNamespaces,
    as_nobody_special,
    running_network,
)
from tests.packaging.processes import wait_for
from tests.postgres import find_binaries

SAMPLE = Path(__file__).parents[2] / "samples" / "bikes.mp4"
PASSWORD = "several hosts"
HOSTS = ("store", "broker", "objects", "web", "beat", "worker-a", "worker-b", "laptop")
REELNOTES = (sys.executable, "-m", "cli")


@dataclass
class Topology:
    network: Network
    hosts: Mapping[str, Host]
    env: Mapping[str, str]  # of every host, but for its DATA_DIR
    folder: Path
    store: Store  # seen from outside, through a socket in the file system

    @property
    def url(self) -> str:
        return f"http://{self.hosts['web'].address}:8000"

    def disk(self, host: str) -> Path:
        """Return the DATA_DIR of a host, which no other reads."""
        return self.folder / host

    def start(self, host: str, *command: str) -> None:
        self.hosts[host].start([*REELNOTES, *command], self.env_of(host))

    def run(self, host: str, *command: str) -> str:
        return self.hosts[host].run([*REELNOTES, *command], self.env_of(host))

    def env_of(self, host: str) -> dict[str, str]:
        return {**self.env, "DATA_DIR": str(self.disk(host))}

    def ask(self, method: str, *arguments: str) -> Any:
        """Call a method of the client on the laptop; return its answer."""
        return self._visit("call", method, *arguments)

    def read(self, *wishes: tuple[str, str]) -> list[tuple[int, str, str]]:
        """Read addresses, or ranges of them, on the laptop: status, media type, SHA-256 of each."""
        return [tuple(answer) for answer in self._visit("read", json.dumps(wishes))]

    def _visit(self, *arguments: str) -> Any:
        visiting = [sys.executable, "-m", "tests.journey.visit", self.url, PASSWORD, *arguments]
        return json.loads(self.hosts["laptop"].run(visiting, {}))

    def submit(self, clip: Path, **parameters: str) -> str:
        options = [f"--{_OPTIONS[key]}={value}" for key, value in parameters.items()]
        said = self.hosts["laptop"].run(
            [*REELNOTES, "submit", f"--server={self.url}", *options, str(clip)],
            {"PASSWORD": PASSWORD},
        )
        return said.split()[0]

    def pause(self, job_id: str) -> None:
        """Pause a job at once: a request from the laptop may take longer than a lease."""
        with self.store.write() as session:
            jobs.pause(session, job_id)

    def held(self, host: str = "") -> list[Chunk]:
        """Return the chunks in the hands of a host, or of any."""
        with self.store.read() as session:
            return list(session.scalars(select(Chunk).where(Chunk.owner.startswith(host))))

    def state(self, job_id: str) -> JobState:
        with self.store.read() as session:
            return session.get_one(Job, job_id).state

    def everything(self, copy: Path) -> dict[str, Any]:
        """Return all rows, and all versions of all objects; drafts are nobody's yet.

        The objects are copied into a folder, in the layout of DATA_DIR/media.
        """
        tables: tuple[type[Table], ...] = (Job, Chunk, Segment)
        with self.store.read() as session:
            rows = {
                table.__tablename__: sorted(
                    map(str, session.execute(select(*table.__table__.columns)))
                )
                for table in tables
            }
        copying = [sys.executable, "-m", "tests.bucket.visit", "copy", str(copy)]
        return rows | {"objects": self.hosts["laptop"].run(copying, self.env_of("laptop"))}


_OPTIONS = {
    "capture_fps": "fps",
    "frames_per_inference": "frames",
    "frame_stride": "stride",
}


@pytest.fixture
def topology(tmp_path: Path) -> Iterator[Topology]:
    """Yield web, beat, two workers, store, broker, objects and a laptop, each on a host of its own."""
    if find_binaries() is None:
        pytest.skip(NO_POSTGRES)
    with ExitStack() as ending:
        socket_dir = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="pg")))
        try:
            network = ending.enter_context(running_network(tmp_path))
            hosts = {name: network.add(name) for name in HOSTS}
        except NoNamespaces as refusal:
            pytest.skip(f"needs network namespaces, which this machine doesn't give: {refusal}")
        serving = ["--host", hosts["objects"].address, "--port", "9000"]
        hosts["objects"].start([sys.executable, "-m", "moto.server", *serving], {})
        _start_postgres(hosts["store"], socket_dir)
        env = {
            "DATABASE_URL": f"postgresql://postgres@{hosts['store'].address}/postgres",
            "REDIS_URL": _start_broker(hosts["broker"], tmp_path),
            "MEDIA_URL": "s3://videos/reelnotes",
            "S3_ENDPOINT": f"http://{hosts['objects'].address}:9000",
            **{"S3_ACCESS_KEY": "a-key", "S3_SECRET_KEY": "a-long-secret"},
            **{"LEASE_SECONDS": "5", "SWEEP_SECONDS": "1", "CHUNK_WINDOWS": "4"},
            **{"WORKER_THREADS": "2", "WEB_HOST": "0.0.0.0", "PASSWORD": PASSWORD},
        }
        url = f"postgresql://postgres@/postgres?host={socket_dir}"
        store = Store.open(replace(Settings(), database_url=url).store_url)
        ending.callback(store.engine.dispose)
        wait_for(lambda: _answers(store), "Postgres")
        topology = Topology(network, hosts, env, tmp_path, store)
        making = [sys.executable, "-m", "tests.bucket.visit", "make"]
        hosts["laptop"].run(making, topology.env_of("laptop"))
        topology.run("web", "migrate")
        topology.start("web", "web")
        topology.start("beat", "beat")
        for name in ("worker-a", "worker-b"):
            topology.start(name, "worker", "--name", name)
        topology.ask("jobs", "1")
        yield topology


def test_a_worker_cut_off_past_its_lease_writes_nothing_late(
    topology: Topology, tmp_path: Path
) -> None:
    cut = topology.hosts["worker-a"]
    job_id = topology.submit(SAMPLE, **PARAMETERS)
    wait_for(lambda: _under_way(topology, "worker-a"), "the first worker")
    with topology.network.cut_off(cut):
        held = topology.held("worker-a")
        topology.pause(job_id)
        other_id = topology.submit(SAMPLE)
        wait_for(lambda: topology.state(other_id).ended, "the other worker to do a job alone")
        wait_for(lambda: not topology.held(), "the lease's end")
        # Whatever now changes is the work of the one that was cut off: it holds windows of chunks that
        # nobody has, at the very cursor where it left them.
        left = [chunk for chunk in held if _cursor(topology, chunk) == chunk.cursor]
        before = topology.everything(tmp_path / "before")
    wait_for(lambda: len(_taken_away(cut)) >= len(held), "the worker to hear that it has lost")
    assert topology.everything(tmp_path / "after") == before
    assert left
    topology.ask("change", job_id, "resume")
    begun = len(_begun(cut))
    wait_for(lambda: topology.state(job_id).ended, "the job's end")
    assert len(_begun(cut)) > begun, "the healed worker is of no use"
    topology.run("worker-b", "alive")
    with pytest.raises(subprocess.CalledProcessError):  # no worker is on this host
        topology.run("laptop", "alive")

    topology.everything(tmp_path / "end")
    done = {job_id: JobState.DONE, other_id: JobState.DONE}
    assert faults_of(topology.store, folder_media(tmp_path / "end"), done) == []
    _is_told_to_the_laptop(topology, job_id)
    _is_kept_only_where_it_belongs(topology, job_id)


def _is_told_to_the_laptop(topology: Topology, job_id: str) -> None:
    """Read page, video, ranges, stills and exports over the network."""
    job, content = topology.ask("job", job_id), SAMPLE.read_bytes()
    segments = topology.ask("segments", job_id)["segments"]
    whole, first, last = topology.read(
        *((job["video"]["url"], part) for part in ("", "bytes=0-99", "bytes=-100"))
    )
    assert whole == (200, "video/mp4", sha256(content).hexdigest())
    assert first == (206, "video/mp4", sha256(content[:100]).hexdigest())
    assert last == (206, "video/mp4", sha256(content[-100:]).hexdigest())
    page, *stills = topology.read(
        (f"/jobs/{job_id}", ""), *((segment["still"], "") for segment in segments)
    )
    assert page[:2] == (200, "text/html")
    assert len(stills) == job["windows_total"]
    assert {still[:2] for still in stills} == {(200, "image/jpeg")}
    told = json.loads(topology.ask("export", job_id, "json"))["segments"]
    assert [one["text"] for one in told] == [segment["text"] for segment in segments]


def _is_kept_only_where_it_belongs(topology: Topology, job_id: str) -> None:
    """Workers have a copy of the video, web keeps nothing of it."""
    video_id = topology.ask("job", job_id)["video"]["id"]
    for name in ("worker-a", "worker-b"):
        copies = [path.name for path in (topology.disk(name) / "media-cache").iterdir()]
        assert copies == [video_id]
    left = [path for path in (topology.disk("web") / "media").rglob("*") if path.is_file()]
    assert left == []


def _start_postgres(host: Host, folder: Path) -> None:
    binaries = find_binaries()
    assert binaries is not None
    data = folder / "data"
    prepare = [
        str(binaries / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--auth=trust",
        "-N",
    ]
    host.run(as_nobody_special(prepare), {})
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NETWORK}.0/24 trust\n")
    argv = [str(binaries / "postgres"), "-D", str(data), "-k", str(folder)]
    argv += ["-c", f"listen_addresses={host.address}", "-c", "fsync=off"]
    host.start(as_nobody_special(argv), {})


def _start_broker(host: Host, folder: Path) -> str:
    password, port = secrets.token_urlsafe(8), 6379
    config = folder / "broker.conf"
    config.write_text(configuration(port, password, folder))
    host.start([find_server(), str(config), "--bind", host.address], {})
    return f"redis://:{password}@{host.address}:{port}/0"


def _answers(store: Store) -> bool:
    try:
        with store.read() as session:
            session.execute(select(1))
    except (StoreBusy, OperationalError):
        return False
    return True


def _under_way(topology: Topology, host: str) -> list[Chunk]:
    """Return what a host holds, once it has stored the first window of a chunk and not the last."""
    held = topology.held(host)
    return held if any(chunk.first < chunk.cursor < chunk.stop - 1 for chunk in held) else []


def _cursor(topology: Topology, chunk: Chunk) -> int:
    with topology.store.read() as session:
        return session.get_one(Chunk, chunk.id).cursor


def _taken_away(host: Host) -> list[str]:
    return [line for line in host.lines() if "chunk taken away" in line]


def _begun(host: Host) -> list[str]:
    return [line for line in host.lines() if "chunk begins" in line]
