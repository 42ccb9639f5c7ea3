"""The Celery program that comments: a worker."""

import logging
import os
import signal
import threading

from celery import Celery, signals

from models import chunks, hints
from models.media import open_media
from models.store import Store
from settings import Settings
from telemetry import exposing, tracing
from telemetry.registry import REGISTRY
from worker.accelerators import AcceleratorCollector
from worker.advance import advance
from worker.commentator import Commentator
from worker.commentators import open_commentator
from worker.keeper import EXIT_STATUS_AGAIN, Keeper
from worker.presence import Presence
from worker.program import log_to_stdout, register, run
from worker.site import Site
from worker.speech import open_transcriber
from worker.video import sandbox
from worker.video.gpu import open_gpu_decoders
from worker.video.tables import SharedTables

_ENDING_S = 15.0  # for the threads of a worker whose commentator is lost to give their chunks back

log = logging.getLogger(__name__)


def run_worker(settings: Settings, name: str, commentator_name: str) -> int:
    """Comment chunks until SIGTERM; return the exit status. `name` is how Celery calls it."""
    log_to_stdout(settings)
    for lack in sandbox.missing():
        log.warning("decoders are locked in less reason=%s", lack)
    exposing.expose(settings, "worker")  # before the weights are read: that takes a while
    tracing.install(settings, "worker")
    commentator = open_commentator(settings, commentator_name)
    return follow_hints(settings, name, open_site(settings, commentator))


def open_site(settings: Settings, commentator: Commentator) -> Site:
    store = Store.open(settings.store_url)
    lease_ms = chunks.lease_ms(settings.lease_seconds, settings.sweep_seconds)
    tables = SharedTables()
    return Site(
        store=store,
        media=open_media(settings),
        commentator=commentator,
        keeper=Keeper(store, lease_ms, settings.call_timeout_seconds),
        lease_ms=lease_ms,
        window_timeout_s=settings.call_timeout_seconds,
        tables=tables,
        gpu_decoders=open_gpu_decoders(settings, tables),
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
    status = run(app, name, hints.queue_of(site.commentator.name), site.commentator.streams)
    presence.end()
    site.keeper.end()
    if site.gpu_decoders is not None:
        site.gpu_decoders.close()
    if site.lost.is_set():
        _exit_to_start_again()
    site.commentator.close()
    return status


def _register_advance(app: Celery, site: Site) -> None:
    leaving = threading.Lock()

    def follow_hint(job_id: str, epoch: int) -> None:
        for found in advance(site, job_id, epoch):
            hints.send_hints(app, found)
        if site.lost.is_set() and leaving.acquire(blocking=False):
            _leave()

    register(app, hints.ADVANCE, follow_hint)


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
