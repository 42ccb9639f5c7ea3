"""The web server as it runs for people: gunicorn in a process of its own."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from migrations import upgrade
from models.media import Media, folder_media
from models.store import Store
from serve.programs import gunicorn

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    port: int
    pid: int  # of gunicorn's arbiter; its child answers
    store: Store
    media: Media


@contextmanager
def running_server(folder: Path, env: Mapping[str, str]) -> Iterator[Server]:
    """Yield a server on a free port with an empty SQLite store in `folder`; end it afterwards."""
    data = folder / "data"
    store = Store.open(f"sqlite:///{data / 'reelnotes.db'}")
    upgrade(store)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": "", **env, "DATA_DIR": str(data)}
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            gunicorn(f"127.0.0.1:{port}", folder), cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        yield Server(url, port, process.pid, store, folder_media(data / "media"))
    finally:
        process.terminate()
        process.wait()
        store.engine.dispose()


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            httpx.get(f"{url}/api/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the web server doesn't answer")
