"""The Celery programs: the worker that comments, and the beat that sweeps."""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from celery import Celery, signals
from celery.beat import EmbeddedService
from celery.exceptions import SecurityWarning

from models import hints
from models.jobs import Hints
from models.media import Media
from models.store import Store
from settings import Settings
from worker.advance import Site, advance
from worker.commentators import open_commentator
from worker.keeper import Keeper
from worker.sweep import Sweep

_LOOK_S = 0.05


def run_worker(settings: Settings, name: str) -> int:
    """Comment chunks until SIGTERM; return the exit status. `name` is how Celery calls it."""
    _log_to_stdout()
    store = Store.open(settings.store_url)
    commentator = open_commentator(settings)
    site = Site(
        store=store,
        media=Media(settings.data_dir / "media"),
        commentator=commentator,
        keeper=Keeper(store, settings.lease_seconds * 1000, settings.call_timeout_seconds),
        lease_ms=settings.lease_seconds * 1000,
        window_timeout_s=settings.call_timeout_seconds,
    )
    app = hints.connect(settings.redis_url)
    _register_advance(app, site)
    signals.worker_shutting_down.connect(lambda **_: site.draining.set(), weak=False)
    return _run(app, name, hints.queue_of(commentator.name), commentator.streams)


def run_beat(settings: Settings) -> int:
    """Send the sweep on its way every few seconds and do it here, where no commentary delays it."""
    _log_to_stdout()
    app = hints.connect(settings.redis_url)
    media = Media(settings.data_dir / "media")
    sweep = Sweep(Store.open(settings.store_url), app, media, settings.job_parallelism)
    every = {
        hints.SWEEP: (sweep.lost_work, settings.sweep_seconds),
        hints.REMOVE_ORPHANS: (sweep.orphans, 3600),
    }
    for name, (step, _) in every.items():
        _register(app, name, step)
    app.conf.beat_schedule = {
        name: {
            "task": name,
            "schedule": seconds,
            "options": {"queue": hints.SWEEP_QUEUE, "expires": seconds},
        }
        for name, (_, seconds) in every.items()
    }
    # A thread of this process, with its state in memory: a kill leaves neither child nor torn file.
    beat = EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler")
    beat.start()
    return _run(app, "beat", hints.SWEEP_QUEUE, 1)


def _register_advance(app: Celery, site: Site) -> None:
    def follow_hint(job_id: str, epoch: int) -> None:
        if advance(site, job_id, epoch):
            hints.send_hints(app, Hints(job_id, site.commentator.name, epoch, 1))

    _register(app, hints.ADVANCE, follow_hint)


def _register(app: Celery, name: str, step: Callable[..., None]) -> None:
    def task(*arguments: Any) -> None:  # Celery takes a plain function, not a method
        step(*arguments)

    app.task(name=name)(task)


def _run(app: Celery, name: str, queue: str, threads: int) -> int:
    # Celery fears root because of pickled messages; ours are JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app.conf.update(
        worker_disable_prefetch=True, worker_prefetch_multiplier=1, worker_redirect_stdouts=False
    )
    worker = app.Worker(
        pool="threads",
        concurrency=threads,
        queues=[queue],
        hostname=f"{name}-{os.getpid()}@%h",
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


def _log_to_stdout() -> None:
    def configure(**_: Any) -> None:
        logging.basicConfig(
            stream=sys.stdout,
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
        )
        for noisy in ("celery", "kombu", "amqp"):
            logging.getLogger(noisy).setLevel(logging.WARNING)

    configure()
    signals.setup_logging.connect(configure, weak=False)
