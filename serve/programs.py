"""The programs that make up Reelnotes on one machine, as data."""

import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from serve.child import Program
from settings import Settings

WEB_GRACE = 5.0  # seconds, of which requests that are being answered get WEB_GRACEFUL_TIMEOUT
WEB_GRACEFUL_TIMEOUT = 3
WORKER_GRACE = 20.0  # seconds to finish the windows in flight
WEB_THREADS = 64  # each event stream and each paused player holds one
HUSHED = ("worker: Warm shutdown",)  # Celery's words at every end


def reelnotes(*arguments: str) -> Sequence[str]:
    """Return the command line of one of our own commands."""
    return (sys.executable, "-m", "cli", *arguments)


def gunicorn(bind: str, tmp_dir: Path) -> Sequence[str]:
    """Return the command line of the web server; `bind` is gunicorn's, e.g. "0.0.0.0:8000"."""
    shared_memory = Path("/dev/shm")
    heartbeat_dir = shared_memory if shared_memory.is_dir() else tmp_dir
    return (
        *(sys.executable, "-m", "gunicorn", "web.wsgi:app", "--bind", bind),
        *("--worker-class", "gthread", "--workers", "1", "--threads", str(WEB_THREADS)),
        *("--graceful-timeout", str(WEB_GRACEFUL_TIMEOUT), "--timeout", "120"),
        *("--worker-tmp-dir", str(heartbeat_dir), "--no-control-socket"),
        *("--log-level", "warning"),
    )


def plan_programs(
    settings: Settings, env: Mapping[str, str], listener: socket.socket, tmp_dir: Path
) -> list[Program]:
    """Return web, workers and beat."""
    descriptor = listener.fileno()
    web = Program(
        "web", gunicorn(f"fd://{descriptor}", tmp_dir), env, fds=(descriptor,), grace=WEB_GRACE
    )
    workers = [
        Program(
            name,
            reelnotes("worker", "--name", name),
            env,
            stop_order=1,
            grace=WORKER_GRACE,
            hushed=HUSHED,
        )
        for name in worker_names(settings.worker_processes)
    ]
    return [web, *workers, Program("beat", reelnotes("beat"), env, hushed=HUSHED)]


def environment(settings: Settings, tmp_dir: Path) -> dict[str, str]:
    """Return the variables by which our processes are told what `serve` decided."""
    return {
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "WEB_HOST": settings.web_host,
        "TMPDIR": str(tmp_dir),  # exports are written there first: it is emptied at the start
        "PYTHONUNBUFFERED": "1",
    }


def worker_names(count: int) -> list[str]:
    return ["worker"] if count == 1 else [f"worker-{number + 1}" for number in range(count)]
