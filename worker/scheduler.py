"""Celery's scheduler, for steps that are done where they fall due instead of being sent as messages."""

import logging
from typing import Any

from celery.beat import ScheduleEntry, Scheduler

from models.errors import StoreBusy

log = logging.getLogger(__name__)


class LocalScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Needs no broker: what brings lost work back must not wait for it."""

    producer = None

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Do the step in this thread; whatever it raises, the next one falls due."""
        try:
            self.app.tasks[entry.task]()
        except StoreBusy as error:
            log.warning("step left out, store is away step=%s reason=%s", entry.task, error)
        except Exception:  # a bug in one step must not end the sweep that recovers everything
            log.exception("step failed step=%s", entry.task)
