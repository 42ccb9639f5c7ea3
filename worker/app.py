"""The Celery programs: the worker that comments, and the beat that sweeps."""

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celery import Celery, signals
from celery.beat import EmbeddedService
from celery.exceptions import SecurityWarning

from models import chunks, hints
from models.log import configure as configure_log
from models.media import open_media
from models.outbound import hosts_of_webhooks
from models.store import Store
from settings import Settings
from telemetry import exposing, tracing
from telemetry.registry import REGISTRY
from worker.accelerators import AcceleratorCollector
from worker.advance import advance
from worker.commentator import Commentator
from worker.commentators import open_commentator
from worker.courier import Courier
from worker.keeper import EXIT_STATUS_AGAIN, Keeper
from worker.meters import measured_step
from worker.presence import Presence
from worker.site import Site
from worker.speech import open_transcriber
from worker.sweep import Sweep
from worker.video import sandbox

_LOOK_S = 0.05
_HOUR_S = 3600
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_ENDING_S = 15.0  # for the threads of a worker whose commentator is lost to give their chunks back

log = logging.getLogger(__name__)


def run_worker(settings: Settings, name: str, commentator_name: str) -> int:
    """Comment chunks until SIGTERM; return the exit status. `name` is how Celery calls it."""
    _log_to_stdout(settings)
    for lack in sandbox.missing():
        log.warning("decoders are locked in less reason=%s", lack)
    exposing.expose(settings, "worker")  # before the weights are read: that takes a while
    tracing.install(settings, "worker")
    commentator = open_commentator(settings, commentator_name)
    return follow_hints(settings, name, open_site(settings, commentator))


def open_site(settings: Settings, commentator: Commentator) -> Site:
    store = Store.open(settings.store_url)
    lease_ms = chunks.lease_ms(settings.lease_seconds, settings.sweep_seconds)
    return Site(
        store=store,
        media=open_media(settings),
        commentator=commentator,
        keeper=Keeper(store, lease_ms, settings.call_timeout_seconds),
        lease_ms=lease_ms,
        window_timeout_s=settings.call_timeout_seconds,
        transcriber=open_transcriber(settings),
        job_parallelism=settings.job_parallelism,
    )


def follow_hints(settings: Settings, name: str, site: Site) -> int:
    """Do what the hints ask until SIGTERM; return the exit status."""
    app = hints.connect(settings.redis_url)
    _register_advance(app, site)
    signals.worker_shutting_down.connect(lambda **_: site.draining.set(), weak=False)
    presence = Presence(site.store, site.commentator)
    site.meter.streams.set(site.commentator.streams)
    REGISTRY.register(AcceleratorCollector(site.commentator))
    status = _run(app, name, hints.queue_of(site.commentator.name), site.commentator.streams)
    presence.end()
    site.keeper.end()
    if site.lost.is_set():
        _exit_to_start_again()
    site.commentator.close()
    return status


def run_beat(settings: Settings) -> int:
    """Sweep every few seconds: in a process of its own, where no commentary delays it."""
    _log_to_stdout(settings)
    exposing.expose(settings, "beat")
    app = hints.connect(settings.redis_url)
    media = open_media(settings)
    store = Store.open(settings.store_url)
    sweep = Sweep(
        store,
        app,
        media,
        settings.job_parallelism,
        settings.keep_media_days,
    )
    every = {
        hints.SWEEP: (sweep.lost_work, settings.sweep_seconds),
        hints.REMOVE_ORPHANS: (sweep.orphans, _HOUR_S),
        hints.REMOVE_OLD_MEDIA: (sweep.old_media, _HOUR_S),
    }
    for name, (step, _) in every.items():
        _register(app, name, measured_step(name, step))
    app.conf.beat_schedule = {
        name: {
            "task": name,
            "schedule": seconds,
            "last_run_at": _LONG_AGO,  # due at the start: a laptop may not run for an hour
        }
        for name, (_, seconds) in every.items()
    }
    # A thread of this process, with its state in memory: a kill leaves neither child nor torn file.
    beat = EmbeddedService(app, thread=True, scheduler_cls="worker.scheduler:LocalScheduler")
    beat.start()
    Courier(store, hosts_of_webhooks(settings)).start()
    return _run(app, "beat", hints.SWEEP_QUEUE, 1)  # which answers who asks whether it lives


def _register_advance(app: Celery, site: Site) -> None:
    leaving = threading.Lock()

    def follow_hint(job_id: str, epoch: int) -> None:
        for found in advance(site, job_id, epoch):
            hints.send_hints(app, found)
        if site.lost.is_set() and leaving.acquire(blocking=False):
            _leave()

    _register(app, hints.ADVANCE, follow_hint)


def _leave() -> None:
    """End this process as SIGTERM does; its supervisor starts another one."""
    log.critical("the commentator is lost, ending the process")
    last_resort = threading.Timer(_ENDING_S, _exit_to_start_again)
    last_resort.daemon = True
    last_resort.start()
    os.kill(os.getpid(), signal.SIGTERM)


def _exit_to_start_again() -> None:
    """Exit without the interpreter's goodbyes: a library whose device is lost may hang in them."""
    logging.shutdown()
    os._exit(EXIT_STATUS_AGAIN)


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


def _log_to_stdout(settings: Settings) -> None:
    def configure(**_: Any) -> None:
        configure_log(settings)
        for noisy in ("celery", "kombu", "amqp"):
            logging.getLogger(noisy).setLevel(logging.WARNING)

    configure()
    signals.setup_logging.connect(configure, weak=False)
