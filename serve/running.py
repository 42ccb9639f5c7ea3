"""Who serves a data folder: a lock so that it is one at a time, and where its page is."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

PATIENCE = 1.0  # seconds for a server that was just killed to be gone


class AlreadyServed(RuntimeError):
    """Another server holds the data folder."""


@dataclass(frozen=True, slots=True)
class Running:
    """The server of a data folder."""

    url: str
    pid: int  # of the supervisor


def run_dir(data_dir: Path) -> Path:
    return data_dir / "run"


@contextmanager
def hold(data_dir: Path) -> Iterator[int]:
    """Be the only server of the folder; yield the lock's file descriptor. Raises AlreadyServed."""
    run_dir(data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    with (run_dir(data_dir) / "lock").open("a+") as lock:
        deadline = time.monotonic() + PATIENCE
        while not _lock(lock):
            if time.monotonic() > deadline:
                raise AlreadyServed(_refusal(data_dir))
            time.sleep(0.05)
        record = run_dir(data_dir) / "server.json"
        record.unlink(missing_ok=True)  # of a server that was killed
        try:
            yield lock.fileno()
        finally:
            record.unlink(missing_ok=True)


def announce(data_dir: Path, url: str) -> None:
    """Let other programs find the page."""
    record = run_dir(data_dir) / "server.json"
    draft = record.with_suffix(".new")
    draft.write_text(json.dumps(asdict(Running(url, os.getpid()))))
    draft.rename(record)


def find(data_dir: Path) -> Running | None:
    """Return who serves the folder now and already answers."""
    with suppress(FileNotFoundError), (run_dir(data_dir) / "lock").open() as lock:
        if not _lock(lock, fcntl.LOCK_SH):
            return Running(**json.loads((run_dir(data_dir) / "server.json").read_text()))
    return None


def _lock(lock: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(data_dir: Path) -> str:
    running = find(data_dir)
    where = f" on {running.url} (process {running.pid})" if running else ""
    return (
        f"Reelnotes already runs with the data in {data_dir}{where}. Stop that one first, or set "
        "DATA_DIR to another folder."
    )
