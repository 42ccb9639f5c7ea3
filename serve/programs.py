"""The programs that make up Reelnotes on one machine, as data."""

import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.commentators import COMMENTATORS
from serve.child import Program
from serve.gpus import visible_gpus
from settings import Settings

WEB_GRACE = 5.0  # seconds, of which requests that are being answered get WEB_GRACEFUL_TIMEOUT
WEB_GRACEFUL_TIMEOUT = 3
LONGEST_HEADER = 2**15  # bytes: the prompts of a resumable upload travel in one
WORKER_GRACE = 20.0  # seconds to finish the windows in flight
WEB_THREADS = 192  # each event stream, upload and paused player holds one
WEB_KEEP_ALIVE = 15  # seconds, longer than a page waits between two questions; it holds no thread
WEB_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**22), "MALLOC_TRIM_THRESHOLD_": str(2**24)}
"""Without it glibc hands the pieces of an upload back to the system one by one, and gets each anew."""
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
        *("--keep-alive", str(WEB_KEEP_ALIVE)),
        *("--graceful-timeout", str(WEB_GRACEFUL_TIMEOUT), "--timeout", "120"),
        *("--worker-tmp-dir", str(heartbeat_dir), "--no-control-socket"),
        *("--log-level", "warning", "--logger-class", "web.server_log.ServerLog"),
        *("--limit-request-field_size", str(LONGEST_HEADER)),
        # A sender on this machine is no proxy: only PROXIES says that there is one.
        *("--forwarded-allow-ips", "", "--forwarder-headers", ""),
    )


def plan_programs(
    settings: Settings, env: Mapping[str, str], listener: socket.socket, tmp_dir: Path
) -> list[Program]:
    """Return web, workers and beat."""
    descriptor = listener.fileno()
    web = Program(
        "web",
        gunicorn(f"fd://{descriptor}", tmp_dir),
        {**env, **WEB_MEMORY},
        fds=(descriptor,),
        grace=WEB_GRACE,
    )
    workers = [
        Program(
            name,
            reelnotes("worker", "--name", name, "--commentator", commentator),
            {**env, **gpu},
            stop_order=1,
            grace=WORKER_GRACE,
            hushed=HUSHED,
        )
        for name, commentator, gpu in plan_workers(settings)
    ]
    beat = Program("beat", reelnotes("beat"), env, hushed=HUSHED)
    beat, *workers = _with_ports(settings.metrics_port, [beat, *workers])
    return [web, *workers, beat]


def _with_ports(first: int, programs: Sequence[Program]) -> list[Program]:
    """Deal out the ports on which each tells its metrics. Beat has the first: there is always one."""
    ports = range(first, first + len(programs)) if first else [0] * len(programs)
    return [
        replace(program, env={**program.env, "METRICS_PORT": str(port)})
        for program, port in zip(programs, ports, strict=True)
    ]


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


def plan_workers(settings: Settings) -> list[tuple[str, str, dict[str, str]]]:
    """Return name, commentator and GPU (as variables) of each worker process.

    Names tell apart only what there is.
    """
    several = len(settings.commentators) > 1
    return [
        ("-".join(["worker", *[commentator] * several, *number]), commentator, gpu)
        for commentator in settings.commentators
        for number, gpu in zip(
            _numbers(settings.worker_processes), _gpus(settings, commentator), strict=True
        )
    ]


def _numbers(count: int) -> list[tuple[str, ...]]:
    return [()] if count == 1 else [(str(number + 1),) for number in range(count)]


def _gpus(settings: Settings, commentator: str) -> list[dict[str, str]]:
    """Deal the GPUs out in turn; one process alone takes the first by itself.

    Who takes none leaves those of others alone: they have kept memory for their own decoders, at most.
    """
    count = settings.worker_processes
    if not _takes_gpu(settings, commentator):
        others = any(_takes_gpu(settings, other) for other in settings.commentators)
        return [{"GPU_DECODERS": "0"} if others else {}] * count
    gpus = visible_gpus() if count > 1 else ()
    if not gpus:
        return [{}] * count
    return [{"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} for number in range(count)]


def _takes_gpu(settings: Settings, commentator: str) -> bool:
    about = COMMENTATORS.get(commentator)
    on_cpu = commentator == "transformers" and settings.transformers_device == "cpu"
    return about is not None and about.takes_gpu and not on_cpu
