"""The Celery program that sweeps: the beat. It loads nothing that comments."""

from datetime import UTC, datetime

from celery.beat import EmbeddedService

from models import hints
from models.media import open_media
from models.outbound import hosts_of_webhooks
from models.store import Store
from settings import Settings
from telemetry import exposing
from worker.courier import Courier
from worker.meters import measured_step
from worker.program import log_to_stdout, register, run
from worker.sweep import Sweep

_HOUR_S = 3600
_LONG_AGO = datetime.fromtimestamp(0, UTC)


def run_beat(settings: Settings) -> int:
    """Sweep every few seconds: in a process of its own, where no commentary delays it."""
    log_to_stdout(settings)
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
        register(app, name, measured_step(name, step))
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
    return run(app, "beat", hints.SWEEP_QUEUE, 1)  # which answers who asks whether it lives
