"""The Celery programs: the worker that comments, and the beat that sweeps."""

import logging
import os
import sys
import warnings
from typing import Any

from celery import Celery, signals
from celery.platforms import SecurityWarning

from models import hints
from models.jobs import Hints
from models.media import Media
from models.store import Store
from settings import Settings
from worker.advance import Site, advance
from worker.commentators import open_commentator
from worker.keeper import Keeper
from worker.sweep import Sweep


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
    app.task(name=hints.SWEEP)(sweep.lost_work)
    app.task(name=hints.REMOVE_ORPHANS)(sweep.orphans)
    app.conf.update(
        beat_scheduler="celery.beat:Scheduler",  # keeps its state in memory: a kill leaves no torn file
        beat_schedule={
            name: {
                "task": name,
                "schedule": seconds,
                "options": {"queue": hints.SWEEP_QUEUE, "expires": seconds},
            }
            for name, seconds in (
                (hints.SWEEP, settings.sweep_seconds),
                (hints.REMOVE_ORPHANS, 3600),
            )
        },
    )
    return _run(app, "beat", hints.SWEEP_QUEUE, 1, beat=True)


def _register_advance(app: Celery, site: Site) -> None:
    def follow_hint(job_id: str, epoch: int) -> None:
        if advance(site, job_id, epoch):
            hints.send_hints(app, Hints(job_id, site.commentator.name, epoch, 1))

    app.task(name=hints.ADVANCE)(follow_hint)


def _run(app: Celery, name: str, queue: str, threads: int, *, beat: bool = False) -> int:
    app.conf.update(
        worker_disable_prefetch=True, worker_prefetch_multiplier=1, worker_redirect_stdouts=False
    )
    worker = app.Worker(
        pool="threads",
        concurrency=threads,
        queues=[queue],
        hostname=f"{name}-{os.getpid()}@%h",
        beat=beat,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


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
