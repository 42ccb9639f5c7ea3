"""Production's topology as several hosts: a worker is cut off past its lease, and comes back."""

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from models.errors import StoreBusy
from models.media import Media, folder_media
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
HOSTS = ("store", "broker", "web", "beat", "worker-a", "worker-b", "laptop")
REELNOTES = (sys.executable, "-m", "cli")

_ASK = """
import json, sys, time
from client import Client, Unreachable
url, password, method, *arguments = sys.argv[1:]
with Client(url, password) as client:
    for _ in range(600):
        try:
            print(json.dumps(getattr(client, method)(*arguments)))
            break
        except Unreachable:  # the page is still starting
            time.sleep(0.1)
"""


@dataclass
class Topology:
    network: Network
    hosts: Mapping[str, Host]
    env: Mapping[str, str]
    store: Store  # seen from outside, through a socket in the file system
    media: Media

    def ask(self, method: str, *arguments: str) -> Any:
        """Call a method of the client on the laptop; return its answer."""
        web = f"http://{self.hosts['web'].address}:8000"
        asking = [sys.executable, "-c", _ASK, web, PASSWORD, method, *arguments]
        return json.loads(self.hosts["laptop"].run(asking, {}))

    def submit(self, clip: Path) -> str:
        options = [f"--{name}={PARAMETERS[key]}" for name, key in _OPTIONS.items()]
        server = f"--server=http://{self.hosts['web'].address}:8000"
        said = self.hosts["laptop"].run(
            [*REELNOTES, "submit", server, *options, str(clip)], {"PASSWORD": PASSWORD}
        )
        return said.split()[0]

    def held(self, host: str = "") -> list[Chunk]:
        """Return the chunks in the hands of a host, or of any."""
        with self.store.read() as session:
            return list(session.scalars(select(Chunk).where(Chunk.owner.startswith(host))))

    def state(self, job_id: str) -> JobState:
        with self.store.read() as session:
            return session.get_one(Job, job_id).state

    def everything(self) -> dict[str, Any]:
        """Return all rows, and name and time of change of all files; drafts are nobody's yet."""
        tables: tuple[type[Table], ...] = (Job, Chunk, Segment)
        with self.store.read() as session:
            rows = {
                table.__tablename__: sorted(
                    map(str, session.execute(select(*table.__table__.columns)))
                )
                for table in tables
            }
        kept = [folder for folder in self.media.root.iterdir() if folder.name != "incoming"]
        files = [path for folder in kept for path in folder.rglob("*") if path.is_file()]
        return rows | {"files": sorted((str(path), path.stat().st_mtime_ns) for path in files)}


_OPTIONS = {
    "fps": "capture_fps",
    "frames": "frames_per_inference",
    "stride": "frame_stride",
}


@pytest.fixture
def topology(tmp_path: Path) -> Iterator[Topology]:
    """Yield web, beat, two workers, store, broker and a laptop, each on a host of its own."""
    if find_binaries() is None:
        pytest.skip(NO_POSTGRES)
    with ExitStack() as ending:
        socket_dir = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="pg")))
        try:
            network = ending.enter_context(running_network(tmp_path))
            hosts = {name: network.add(name) for name in HOSTS}
        except NoNamespaces as refusal:
            pytest.skip(f"needs network namespaces, which this machine doesn't give: {refusal}")
        _start_postgres(hosts["store"], socket_dir)
        env = {
            "DATA_DIR": str(tmp_path / "share"),
            "DATABASE_URL": f"postgresql://postgres@{hosts['store'].address}/postgres",
            "REDIS_URL": _start_broker(hosts["broker"], tmp_path),
            **{"LEASE_SECONDS": "3", "SWEEP_SECONDS": "1", "CHUNK_WINDOWS": "4"},
            **{"WORKER_THREADS": "2", "WEB_HOST": "0.0.0.0", "PASSWORD": PASSWORD},
        }
        url = f"postgresql://postgres@/postgres?host={socket_dir}"
        store = Store.open(replace(Settings(), database_url=url).store_url)
        ending.callback(store.engine.dispose)
        wait_for(lambda: _answers(store), "Postgres")
        hosts["web"].run([*REELNOTES, "migrate"], env)
        hosts["web"].start([*REELNOTES, "web"], env)
        hosts["beat"].start([*REELNOTES, "beat"], env)
        for name in ("worker-a", "worker-b"):
            hosts[name].start([*REELNOTES, "worker", "--name", name], env)
        topology = Topology(network, hosts, env, store, folder_media(tmp_path / "share" / "media"))
        topology.ask("jobs", "1")
        yield topology


def test_a_worker_cut_off_past_its_lease_writes_nothing_late(topology: Topology) -> None:
    cut = topology.hosts["worker-a"]
    job_id = topology.submit(SAMPLE)
    held = wait_for(lambda: _under_way(topology, "worker-a"), "the first worker")
    with topology.network.cut_off(cut):
        _goes_on_elsewhere(topology, job_id)
        topology.ask("change", job_id, "pause")
        wait_for(lambda: not topology.held(), "the lease's end")
        # Whatever now changes is the work of the one that was cut off: it holds windows of chunks that
        # nobody has, at the very cursor where it left them.
        left = [chunk for chunk in held if _cursor(topology, chunk) == chunk.cursor]
        before = topology.everything()
    wait_for(lambda: len(_taken_away(cut)) >= len(held), "the worker to hear that it has lost")
    assert topology.everything() == before
    assert left
    topology.ask("change", job_id, "resume")
    begun = len(_begun(cut))
    wait_for(lambda: topology.state(job_id).ended, "the job's end")
    assert topology.state(job_id) == JobState.DONE
    assert faults_of(topology.store, topology.media, {}) == []
    assert len(_begun(cut)) > begun, "the healed worker is of no use"
    topology.hosts["worker-b"].run([*REELNOTES, "alive"], topology.env)
    with pytest.raises(subprocess.CalledProcessError):  # no worker is on this host
        topology.hosts["laptop"].run([*REELNOTES, "alive"], topology.env)


def _start_postgres(host: Host, folder: Path) -> None:
    binaries = find_binaries()
    assert binaries is not None
    data = folder / "data"
    prepare = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "-N"]
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


def _goes_on_elsewhere(topology: Topology, job_id: str) -> None:
    """Wait until the other worker has stored a window more."""

    def count() -> int:
        with topology.store.read() as session:
            return len(session.scalars(select(Segment.index).where(Segment.job_id == job_id)).all())

    stored = count()
    wait_for(lambda: count() > stored, "the other worker")


def _cursor(topology: Topology, chunk: Chunk) -> int:
    with topology.store.read() as session:
        return session.get_one(Chunk, chunk.id).cursor


def _taken_away(host: Host) -> list[str]:
    return [line for line in host.lines() if "chunk taken away" in line]


def _begun(host: Host) -> list[str]:
    return [line for line in host.lines() if "chunk begins" in line]
