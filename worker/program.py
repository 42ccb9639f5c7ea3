"""How a Celery program of ours runs: its log, its tasks, its end."""

import logging
import os
import socket
import warnings
from collections.abc import Callable
from typing import Any

from celery import Celery, signals
from celery.exceptions import SecurityWarning

from models.log import configure as configure_log
from settings import Settings

_LOOK_S = 0.05


def register(app: Celery, name: str, step: Callable[..., None]) -> None:
    def task(*arguments: Any) -> None:  # Celery takes a plain function, not a method
        step(*arguments)

    app.task(name=name)(task)


def run(app: Celery, name: str, queue: str, threads: int) -> int:
    # Celery fears root because of pickled messages; ours are JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app.conf.update(
        worker_disable_prefetch=True, worker_prefetch_multiplier=1, worker_redirect_stdouts=False
    )
    worker = app.Worker(
        pool="threads",
        concurrency=threads,
        queues=[queue],
        # Celery fills in %h on its command line only; in containers all have the same process number.
        hostname=f"{name}-{os.getpid()}@{socket.gethostname()}",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    signals.worker_ready.connect(_look_often, weak=False)
    worker.start()
    return int(worker.exitcode or 0)


def _look_often(sender: Any, **_: Any) -> None:
    """Let Celery's loop see soon that a thread is free: nothing else wakes it, for a second or so."""
    sender.hub.call_repeatedly(_LOOK_S, lambda: None)


def log_to_stdout(settings: Settings) -> None:
    def configure(**_: Any) -> None:
        configure_log(settings)
        for noisy in ("celery", "kombu", "amqp"):
            logging.getLogger(noisy).setLevel(logging.WARNING)

    configure()
    signals.setup_logging.connect(configure, weak=False)
