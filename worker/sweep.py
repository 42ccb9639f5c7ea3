"""Finds what was lost: leases that ran out, jobs that nobody has a hint of, files that no row knows.

And what was kept long enough: videos past their days.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from celery import Celery
from sqlalchemy import select

from models import chunks, hints, idempotency, uploads, videos, webhooks
from models.clock import now_ms
from models.errors import AppError
from models.jobs import Hints, open_hints
from models.media import Media
from models.store import Store
from models.tables import Job, Video
from worker import meters

log = logging.getLogger(__name__)

_IDLE_MS = 10_000  # a job with work on which nothing has happened for so long is looked at
_FORGOTTEN_MS = 600_000  # ... and is given new hints even if the queue is long
_ORPHAN_AGE_S = 24 * 3600.0
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Sweep:
    store: Store
    broker: Celery
    media: Media
    job_parallelism: int
    keep_media_days: int = 0  # 0: for ever

    def lost_work(self) -> None:
        """Free expired leases, end jobs that miss nothing, send missing hints, drop broken uploads."""
        for found in (*self._free_expired(), *self._renew_lost_hints()):
            log.info("hints sent again job_id=%s count=%d", found.job_id, found.count)
            hints.send_hints(self.broker, found)
        # Last: a disk in trouble must not keep work from going on, nor a storage from being tidied.
        try:
            self._drop_left()
        finally:
            self.media.scratch.drop_broken()

    def _drop_left(self) -> None:
        """Remove whole uploads that became no job before their process was gone, and doubles of videos."""
        with self.store.read() as session:
            if not uploads.are_held(session):  # mostly so: no need to keep others from writing
                return
        with self.store.write() as session:
            left = uploads.give_up_left(session)
        removed = [upload_id for upload_id in left if self._is_removed(upload_id)]
        if removed:
            with self.store.write() as session:
                uploads.let_go(session, removed)
            log.info("uploads of processes that are gone removed count=%d", len(removed))

    def _is_removed(self, upload_id: str) -> bool:
        """Remove what has come of an upload; one that can't be removed now keeps no other waiting."""
        try:
            self.media.remove_upload(upload_id)
        except (OSError, AppError) as error:
            log.warning("upload can't be removed yet upload_id=%s reason=%s", upload_id, error)
            return False
        return True

    def _free_expired(self) -> list[Hints]:
        with self.store.write() as session:
            expired = chunks.free_expired(session)
            chunks.finish_stuck(session)
            freed = expired.to_do
            jobs = session.scalars(select(Job).where(Job.id.in_(freed))).all()
            lost = [Hints(job.id, job.commentator, job.hint_epoch, freed[job.id]) for job in jobs]
        meters.leases_expired(expired.count)
        return lost

    def _renew_lost_hints(self) -> list[Hints]:
        """Void and renew the hints of idle jobs, unless the queue shows that they merely wait in it."""
        with self.store.read() as session:
            idle = chunks.jobs_without_hints(session, idle_ms=_IDLE_MS)
        if not idle:
            return []
        crowded = self._crowded(Counter(job.commentator for job in idle))
        forgotten_ms = now_ms() - _FORGOTTEN_MS
        with self.store.write() as session:
            return [
                open_hints(session, job, self.job_parallelism)
                for job in chunks.jobs_without_hints(session, idle_ms=_IDLE_MS)
                if job.commentator not in crowded or job.hinted_ms < forgotten_ms
            ]

    def _crowded(self, idle: Counter[str]) -> set[str]:
        """Return the commentators in whose queue there are hints enough for their idle jobs."""
        try:
            return {
                name
                for name, count in idle.items()
                if hints.waiting_hints(self.broker, name) >= count
            }
        except hints.BROKER_AWAY as error:
            log.warning("broker is away reason=%s", error)
            return set()

    def orphans(self) -> None:
        """Remove files that no row knows: of uploads that were given up, of processes that were killed."""
        with self.store.read() as session:
            arriving = uploads.list_arriving(session)  # first: what it leaves out has a video
            videos = session.scalars(select(Video.id)).all()
            jobs = session.scalars(select(Job.id)).all()
        removed = self.media.remove_orphans(videos, jobs, arriving, _ORPHAN_AGE_S)
        if removed:
            log.info("orphaned files removed count=%d", removed)
        self._forget_rows()  # last: on a full disk it needs the room that the files gave

    def _forget_rows(self) -> None:
        with self.store.write() as session:
            uploads.forget_ended(session)
            idempotency.forget_old(session)
            webhooks.forget_old(session)

    def old_media(self) -> None:
        """Remove files of videos whose last job ended KEEP_MEDIA_DAYS ago; rows and commentary stay.

        The row is written first: it never promises a file that is gone, and refuses a retry from then
        on. What a kill leaves behind between the two, the next sweep removes.
        """
        for video_id in self._note_removals():
            log.info("video past its days video_id=%s days=%d", video_id, self.keep_media_days)
        self._remove_noted()

    def _note_removals(self) -> list[str]:
        if not self.keep_media_days:
            return []
        ended_before_ms = now_ms() - self.keep_media_days * _DAY_MS
        with self.store.read() as session:
            past = videos.videos_past(session, ended_before_ms)
        noted = []
        for video_id in past:
            with self.store.write() as session:
                if videos.note_removal(session, video_id, ended_before_ms):
                    noted.append(video_id)
        return noted

    def _remove_noted(self) -> None:
        with self.store.read() as session:
            removed = videos.removed_videos(session)
        if not removed:
            return
        stored = self.media.stored_videos() | self.media.made_of()  # the latter also just now
        for video_id, job_ids in removed.items():
            if stored.isdisjoint((video_id, *job_ids)):
                continue
            with self.store.write() as session:
                until_ms = videos.begin_removal(session, video_id)
            if until_ms is None:  # uploaded again just now
                continue
            if not self._remove_in_turn(video_id, job_ids, until_ms):
                continue  # the next sweep looks what is left, and whether it came again
            with self.store.write() as session:
                videos.end_removal(session, video_id, until_ms)
            log.info("media removed video_id=%s", video_id)

    def _remove_in_turn(self, video_id: str, job_ids: Sequence[str], until_ms: int) -> bool:
        """Remove a video's files while the turn lasts; tell whether it did."""
        steps: list[Callable[[], object]] = [partial(self.media.remove_video, video_id)]
        for job_id in job_ids:
            steps.append(partial(self.media.remove_stills, job_id))
            steps.append(partial(self.media.remove_renders, job_id))
        for step in steps:
            if not videos.may_remove(until_ms):
                log.warning("removal took too long video_id=%s", video_id)
                return False
            step()
        return True
