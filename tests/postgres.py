"""Finds a Postgres for the tests: the one that is named, one of their own, or any that answers."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg

from serve.broker import free_port

_NAMED = os.environ.get("TEST_POSTGRES_URL")
_USUAL = "postgresql://postgres@127.0.0.1:5432"


@contextmanager
def postgres_server() -> Iterator[str | None]:
    """Yield the URL of a server on which databases may be made, or None where there is none.

    One of our own comes before the machine's: nobody else ends it, its log can be read, and it
    needn't wait for the disk.
    """
    if _NAMED:
        yield _NAMED
    elif programs := find_binaries():
        with own_server(programs) as url:
            yield url
    else:
        yield _USUAL if _answers(_USUAL) else None


@contextmanager
def fresh_database(server: str, like: str = "") -> Iterator[str]:
    """Yield the URL of a new, empty database, made with options `like` these; drop it afterwards."""
    name = f"reelnotes_test_{uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {like}")
    try:
        yield f"{server}/{name}"
    finally:
        left = left_open(f"{server}/{name}")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert left == [], "connections were left open, and these were their last words"


_OTHERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"  # the server's own come and go: autovacuum
)


def left_open(url: str) -> list[str]:
    """Hang up those still connected to a database when their time to go is over.

    Return their last statements. The next test finds none of them.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(50):
            left = connection.execute(f"SELECT query {_OTHERS}").fetchall()
            if not left:
                break
            time.sleep(0.1)
        connection.execute(f"SELECT pg_terminate_backend(pid) {_OTHERS}")
    return [query for (query,) in left]


def _answers(server: str) -> bool:
    try:
        psycopg.connect(f"{server}/postgres", connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def find_binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl: on PATH, or where Debian keeps them."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@contextmanager
def own_server(programs: Path) -> Iterator[str]:
    """Yield the URL of a server of this test alone; processes_of() finds it."""
    user = "nobody" if os.geteuid() == 0 else None  # Postgres refuses to run as root
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        if user:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        port = free_port()
        options = f"-k {folder} -p {port} -c listen_addresses=127.0.0.1 -c fsync=off"
        _run(
            [programs / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--auth=trust"], user
        )
        _run(
            [programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{folder}/log", "start"],
            user,
        )
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            stop: list[str | Path] = [programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"]
            subprocess.run(stop, user=user, capture_output=True)  # a test may have ended it
            told = Path(folder, "log").read_text(errors="replace").splitlines()
        fell = [line for line in told if "PANIC" in line or "was terminated by signal" in line]
        assert fell == [], f"a process of Postgres fell, and took all connections with it: {fell}"


def _run(command: list[str | Path], user: str | None) -> None:
    subprocess.run(command, user=user, check=True, stdout=subprocess.DEVNULL)


def processes_of(url: str) -> list[psutil.Process]:
    """Return the processes of an own server, the first of which ends all."""
    port = url.rpartition(":")[2]
    (main,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if ["-p", port] == (process.info["cmdline"] or [])[5:7]
    ]
    return [main, *main.children()]
