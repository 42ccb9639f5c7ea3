"""A real broker for a test: the embedded server, with its own folder and nothing kept."""

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from serve.broker import configuration, find_server, free_port


@contextmanager
def running_broker(folder: Path) -> Iterator[str]:
    """Yield the URL of a broker that answers."""
    with broker_process(folder) as (url, _):
        yield url


@contextmanager
def broker_process(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the URL of a broker that answers, and its process id."""
    port, password = free_port(), secrets.token_urlsafe(8)
    config = folder / "broker.conf"
    config.write_text(configuration(port, password, folder))
    server = subprocess.Popen([find_server(), str(config)], stdout=subprocess.DEVNULL)
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    try:
        wait_for_broker(url)
        yield url, server.pid
    finally:
        server.kill()
        server.wait()


def wait_for_broker(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        for _ in range(200):
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
    raise RuntimeError("the broker doesn't answer")
