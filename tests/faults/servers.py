"""A Postgres and a broker that a test starts itself, so that it may kill, freeze and empty them."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import redis

from serve.broker import configuration, find_server, free_port
from tests.broker import wait_for_broker
from tests.packaging.processes import wait_for
from tests.postgres import find_binaries


@dataclass
class Server:
    """A program that is started again where it was, as a service manager would."""

    argv: Sequence[str]
    user: str | None = None
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.argv,
            user=self.user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL to this process alone; what it started is left to notice."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)


@dataclass
class Postgres:
    """A cluster of its own in a folder of its own."""

    folder: Path
    server: Server
    url: str

    def start(self) -> None:
        """Start it, and again while processes of a killed one still hold its memory."""
        wait_for(self._begin, "Postgres")

    def _begin(self) -> bool:
        if self.server.ended():
            self.server.start()
            time.sleep(0.1)
        return self.answers()

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def backends(self) -> list[psutil.Process]:
        """Return the processes that serve a client each."""
        with suppress(psutil.Error):
            children = psutil.Process(self.server.pid).children()
            return [child for child in children if _serves_a_client(child)]
        return []


def _serves_a_client(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return re.match(r"postgres: postgres faults 127", " ".join(process.cmdline())) is not None
    return False


@contextmanager
def running_postgres(place: Path | None = None) -> Iterator[Postgres | None]:
    """Yield a running Postgres with an empty database, or None where its binaries are missing.

    Its files lie below `place`, or below the system's folder for temporary ones.
    """
    binaries = find_binaries()
    if binaries is None:
        yield None
        return
    user = "nobody" if os.geteuid() == 0 else None  # Postgres refuses to run as root
    with tempfile.TemporaryDirectory(prefix="pg", dir=place) as folder:
        if user:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--auth=trust"],
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        # The machine doesn't fail here, only processes do: what was handed to the kernel stays.
        port = free_port()
        argv = [str(binaries / "postgres"), "-D", data, "-k", folder, "-p", str(port)]
        argv += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        address = f"postgresql://postgres@127.0.0.1:{port}"
        postgres = Postgres(Path(folder), Server(argv, user), f"{address}/postgres")
        postgres.start()
        try:
            with psycopg.connect(postgres.url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE faults")
            postgres.url = f"{address}/faults"
            yield postgres
        finally:
            postgres.server.stop(signal.SIGQUIT)


@dataclass
class Broker:
    folder: Path
    server: Server
    url: str

    def start(self) -> None:
        self.server.start()
        wait_for_broker(self.url)


@contextmanager
def running_own_broker(folder: Path) -> Iterator[Broker]:
    """Yield a Redis server, or a Valkey where none is installed, with the append-only file that we advise."""
    port, password = free_port(), secrets.token_urlsafe(8)
    folder.mkdir()
    config = folder / "redis.conf"
    config.write_text(configuration(port, password, folder))
    program = shutil.which("redis-server") or find_server()
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    broker = Broker(folder, Server([program, str(config)]), url)
    broker.start()
    try:
        yield broker
    finally:
        broker.server.stop(signal.SIGKILL)


def flush(url: str) -> None:
    """Drop all that a broker holds."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
