"""Finds what was lost: leases that ran out, jobs that nobody has a hint of, files that no row knows."""

import logging
from dataclasses import dataclass

from celery import Celery
from sqlalchemy import select

from models import chunks, hints
from models.jobs import Hints, open_hints
from models.media import Media
from models.store import Store
from models.tables import Job, Video

log = logging.getLogger(__name__)

_IDLE_MS = 10_000  # a job with work on which nothing has happened for so long is looked at
_FORGOTTEN_MS = 600_000  # ... and is given new hints even if the queue is long
_ORPHAN_AGE_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Sweep:
    store: Store
    broker: Celery
    media: Media
    job_parallelism: int

    def lost_work(self) -> None:
        """Free expired leases, end jobs that miss nothing, and send the hints that are missing."""
        for found in (*self._free_expired(), *self._renew_lost_hints()):
            log.info("hints sent again job_id=%s count=%d", found.job_id, found.count)
            hints.send_hints(self.broker, found)

    def _free_expired(self) -> list[Hints]:
        with self.store.write() as session:
            freed = chunks.free_expired(session)
            chunks.finish_stuck(session)
            jobs = session.scalars(select(Job).where(Job.id.in_(freed))).all()
            return [Hints(job.id, job.commentator, job.hint_epoch, freed[job.id]) for job in jobs]

    def _renew_lost_hints(self) -> list[Hints]:
        """Void and renew the hints of idle jobs, unless the queue shows that they merely wait in it."""
        with self.store.read() as session:
            idle = chunks.jobs_without_hints(session, idle_ms=_IDLE_MS)
        if not idle:
            return []
        waiting = self._waiting({job.commentator for job in idle})
        patience_ms = _FORGOTTEN_MS if waiting >= len(idle) else _IDLE_MS
        with self.store.write() as session:
            lost = chunks.jobs_without_hints(session, idle_ms=patience_ms)
            return [open_hints(session, job, self.job_parallelism) for job in lost]

    def _waiting(self, commentators: set[str]) -> int:
        try:
            return sum(
                hints.waiting_hints(self.broker, commentator) for commentator in commentators
            )
        except hints.BROKER_AWAY as error:
            log.warning("broker is away reason=%s", error)
            return 0

    def orphans(self) -> None:
        """Remove files that no row knows: left by processes that were killed."""
        with self.store.read() as session:
            videos = session.scalars(select(Video.id)).all()
            jobs = session.scalars(select(Job.id)).all()
        removed = self.media.remove_orphans(videos, jobs, _ORPHAN_AGE_S)
        if removed:
            log.info("orphaned files removed count=%d", removed)
