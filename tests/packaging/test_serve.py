"""`reelnotes serve` with all its real processes: started, hurt, ended."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import redis

from serve import running
from tests.packaging.processes import command_line, left_of, tree, wait_for

pytestmark = pytest.mark.slow

CHILDREN = {
    "broker": "-server 127.0.0.1",
    "web": "gunicorn",
    "worker": "cli worker",
    "beat": "cli beat",
}
"""What their command lines hold."""


class Server:
    """A running `reelnotes serve`."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}.log"
        data_dir.mkdir(exist_ok=True)
        (data_dir / "welcomed").touch()  # no sample: these tests are about processes
        own = {"DATA_DIR": str(data_dir), "WEB_PORT": str(free_port()), **settings}
        ambient = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "serve"],
                env={**ambient, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_open(self) -> str:
        def url() -> str:
            assert self.process.poll() is None, self.log.read_text()
            found = running.find(self.data_dir)
            return found.url if found and found.pid == self.process.pid else ""

        return wait_for(url, "the page")

    def child(self, name: str, other_than: psutil.Process | None = None) -> psutil.Process | None:
        """Return the process of one of CHILDREN."""
        for process in psutil.Process(self.process.pid).children():
            if CHILDREN[name] in " ".join(command_line(process)) and process != other_than:
                return process
        return None

    def broker(self) -> "redis.Redis":
        config = dict(
            line.split(" ", 1)
            for line in (self.data_dir / "run" / "broker.conf").read_text().splitlines()
        )
        return redis.Redis(port=int(config["port"]), password=config["requirepass"])


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers: list[Server] = []

    def start(folder: str = "data", **settings: str) -> Server:
        servers.append(Server(tmp_path / folder, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()  # the guard ends the rest
        server.process.wait()


def kill_and_wait_for_another(server: Server, name: str) -> None:
    killed = wait_for(lambda: server.child(name), name)
    family = tree(killed.pid)
    killed.kill()
    wait_for(lambda: server.child(name, other_than=killed), f"another {name}")
    wait_for(lambda: not left_of(family), f"the end of what {name} had started")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/health", timeout=5) as response:
            return bool(json.load(response)["status"] == "ok")
    except OSError:
        return False


def test_what_is_killed_runs_again_and_nothing_is_left_at_the_end(start: Start) -> None:
    server = start()
    url = server.wait_until_open()
    assert answers(url)
    for name in CHILDREN:
        kill_and_wait_for_another(server, name)
    wait_for(lambda: answers(url), "the page again")
    processes = tree(server.process.pid)
    server.process.terminate()
    assert server.process.wait() == 0, server.log.read_text()
    assert left_of(processes) == []
    assert running.find(server.data_dir) is None


def test_the_queue_outlives_a_restart_and_a_killed_broker(start: Start) -> None:
    server = start()
    server.wait_until_open()
    server.broker().rpush("kept", *range(100))
    wait_for(lambda: is_written(server), "the broker's file")
    kill_and_wait_for_another(server, "broker")
    wait_for(lambda: queue_length(server) == 100, "the queue after kill -9 of the broker")
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait() == 0
    again = start()
    again.wait_until_open()
    assert queue_length(again) == 100


def test_a_broker_file_that_is_cut_off_does_not_stop_the_start(start: Start) -> None:
    server = start()
    server.wait_until_open()
    server.broker().rpush("kept", *range(100))
    server.process.terminate()
    server.process.wait()
    (log,) = (server.data_dir / "broker" / "appendonlydir").glob("*.incr.aof")
    os.truncate(log, log.stat().st_size - 3)
    again = start()
    again.wait_until_open()
    wait_for(lambda: queue_length(again) is not None, "the broker")


def test_a_killed_supervisor_leaves_nothing_and_its_folder_can_be_served_again(
    start: Start,
) -> None:
    server = start()
    server.wait_until_open()
    processes = tree(server.process.pid)
    server.process.kill()
    server.process.wait()
    wait_for(lambda: not left_of(processes), "the end of every process")
    assert running.find(server.data_dir) is None
    again = start()
    again.wait_until_open()


def test_a_second_server_of_the_same_folder_is_refused(start: Start) -> None:
    first = start()
    url = first.wait_until_open()
    second = start()
    assert second.process.wait() == 1
    refusal = f"already runs with the data in {first.data_dir} on {url}"
    assert refusal in second.log.read_text()
    assert answers(url)


def test_a_port_in_use_gives_the_next_free_one(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(WEB_PORT=str(port))
        url = server.wait_until_open()
    assert int(url.rpartition(":")[2]) > port
    assert answers(url)
    assert f"Port {port} is in use" in server.log.read_text()


def test_every_worker_process_is_started(start: Start) -> None:
    server = start(WORKER_PROCESSES="2")
    server.wait_until_open()
    names = {
        argv[argv.index("--name") + 1]
        for process in psutil.Process(server.process.pid).children()
        if "worker" in (argv := command_line(process))
    }
    assert names == {"worker-1", "worker-2"}


def is_written(server: Server) -> bool:
    """Whether the broker's file holds all it was told: a busy disk may be up to two seconds behind."""
    return bool(server.broker().info("persistence")["aof_buffer_length"] == 0)


def queue_length(server: Server) -> int | None:
    try:
        length = server.broker().llen("kept")
    except redis.ConnectionError:
        return None
    assert isinstance(length, int)
    return length


def test_an_upload_is_taken_up_in_memory_that_is_there(start: Start) -> None:
    """Memory that is given back after each piece costs more than all else: 600 pages for each megabyte."""
    server = start()
    address = urllib.parse.urlparse(server.wait_until_open())
    web = wait_for(lambda: server.child("web"), "web")
    megabytes = 64

    def upload() -> int:
        """Return how many pages of memory the server was given meanwhile."""
        before = pages_given(web)
        with closing(http.client.HTTPConnection(address.netloc)) as connection:
            headers = {"Content-Type": "application/octet-stream"}
            body = bytes(megabytes << 20)
            connection.request("POST", "/api/jobs?filename=a.mp4", body, headers)
            assert connection.getresponse().status == 422, "no video"
        return pages_given(web) - before

    upload()
    assert upload() < 100 * megabytes


def pages_given(process: psutil.Process) -> int:
    """To it and what it started: minor faults."""
    family = [process, *process.children(recursive=True)]
    stats = [Path(f"/proc/{one.pid}/stat").read_text() for one in family]
    return sum(int(stat.rpartition(")")[2].split()[7]) for stat in stats)
