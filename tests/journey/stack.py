"""The whole product on real processes: `reelnotes serve` in a folder of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from client import Client
from serve.running import find
from tests.packaging.processes import left_of, tree, wait_for

ROOT = Path(__file__).parents[2]


_MARKS = {
    "web": re.compile(r"web\.wsgi:app"),
    "worker": re.compile(r"-m \S+ worker --name"),
    "decoder": re.compile(r"-m worker\.video\.child"),
    "beat": re.compile(r"-m \S+ beat$"),
    "broker": re.compile(r"(valkey|redis)-server|broker\.conf"),
}


@dataclass
class Stack:
    data_dir: Path
    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        running = find(self.data_dir)
        assert running is not None
        return running.url

    def client(self) -> Client:
        return Client(self.url)

    def program(self, name: str) -> list[psutil.Process]:
        """Return the processes of one program: worker, decoder, web, beat or broker."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                command = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if _MARKS[name].search(command):
                found.append(process)
        return found

    def kill(self, name: str) -> None:
        """End a program as the kernel would: SIGKILL to each of its processes."""
        for process in wait_for(lambda: self.program(name), name):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def claims(self) -> list[tuple[str, int, int]]:
        """Return (job, first, last) of every chunk that a worker began, from the log."""
        pattern = re.compile(r"chunk begins job_id=(\S+) stage=\d+ steps=(\d+)-(\d+)")
        found = (pattern.search(line) for line in list(self.log))
        return [(m[1], int(m[2]), int(m[3])) for m in found if m]

    def wait_until_ended(self, job_id: str, patience_s: float = 180) -> str:
        """Return the state in which the job ends, however often the server is away meanwhile."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            try:
                with self.client() as client:
                    state = client.job(job_id)["state"]
            except Exception as error:  # noqa: BLE001 the web process may just have been killed
                state = type(error).__name__
            if state in ("done", "failed", "cancelled"):
                return state
            time.sleep(0.2)
        raise AssertionError("\n".join(["the job doesn't end; the log's end:", *self.log[-40:]]))


@contextmanager
def running_stack(data_dir: Path, *, module: str = "cli", **settings: str) -> Iterator[Stack]:
    """Start everything; at the end stop it with SIGTERM and see that nothing is left.

    `module` is run in place of our command line.
    """
    env = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "DATA_DIR": str(data_dir),
        "WEB_PORT": "0",
        "LEASE_SECONDS": "3",
        "SWEEP_SECONDS": "1",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", module, "serve"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stack = Stack(data_dir, process)
    assert process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, stack.log), daemon=True)
    reader.start()
    try:
        wait_for(lambda: find(data_dir) or process.poll() is not None, "the page")
        assert process.poll() is None, "\n".join(stack.log)
        yield stack
        family = tree(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert left_of(family) == []
    finally:
        process.kill()
        process.wait()
        reader.join(5)
        process.stdout.close()


def _read(stream: IO[str], log: list[str]) -> None:
    log.extend(iter(stream.readline, ""))
