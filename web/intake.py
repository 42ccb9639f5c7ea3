"""From a received file to a queued job. The same content is stored once, whoever comes first."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import jobs, uploads
from models.errors import (
    FAILURES,
    AppError,
    BadFile,
    Conflict,
    DiskFull,
    FetchFailed,
    InvalidRequest,
    NotFound,
    NoVideo,
    StoreBusy,
    TooLarge,
    Unsupported,
)
from models.facts import VideoFacts
from models.hints import send_hints
from models.ids import new_id
from models.jobs import Hints
from models.parameters import Parameters
from models.scratch import Incoming
from models.tables import Job, Upload, Video
from models.videos import add_video, facts_of, find_video, is_being_removed, lock_video
from telemetry.tracing import Submission
from web.holding import begin_held, holding
from web.probe import probe
from web.site import Site
from web.uploads import Wish

_PROBES = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))
"""Each is a process of its own, and takes memory and a processor."""

_TRIES = 3  # each one lost to an upload, or a deletion, of the same content at the same moment
_STORE_LOOK_S = 0.5
_STORE_PATIENCE_S = 20.0  # how long an upload that has come in waits for a store that is away

T = TypeVar("T")

log = logging.getLogger(__name__)


_FOR_GOOD = (BadFile, NoVideo, Unsupported, TooLarge, InvalidRequest)
"""What the same file would be refused with again; after anything else trying again may do."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole file, and what it is to become."""

    path: Path
    sha256: str
    size: int
    wish: Wish
    video_id: str  # that it gets, unless its content is stored already
    settle: Callable[[Session, Job], None]  # notes the job in the transaction that makes it
    is_kept: bool = False  # it lies where that video's file belongs
    stays: bool = False  # it keeps its own name as well, so that it can be begun anew


class _GivenUp(Exception):
    """This process was taken for dead: it may have been frozen."""


def queue_incoming(
    site: Site, incoming: Incoming, wish: Wish, settle: Callable[[Session, Job], None]
) -> str:
    """Probe the file of a request, keep it, queue its job; return the job's id.

    Raises what the probe refuses the file with; then nothing of it is left.
    """
    incoming.finish()
    submission = Submission()
    submission.add("receive", incoming.begun_ns)
    file = Received(
        incoming.path, incoming.sha256, incoming.size, wish, new_id(), settle, stays=True
    )
    facts = _facts(site, file, submission)
    for _ in range(_TRIES):
        try:
            return _queue_held(site, file, facts, submission)
        except _GivenUp:
            log.warning("upload was given up, and begins anew upload_id=%s", file.video_id)
            file = replace(file, video_id=new_id())
    raise StoreBusy("The server was held up again and again: try again in a moment.")


def _queue_held(site: Site, file: Received, facts: VideoFacts, submission: Submission) -> str:
    """Queue the job of a file that only this process can make one. Raises _GivenUp."""

    def settle(session: Session, job: Job) -> None:
        try:
            uploads.settle(session, file.video_id, job)
        except Conflict:
            raise _GivenUp from None
        file.settle(session, job)

    intake = _Intake(site, replace(file, settle=settle), facts, new_id(), submission)
    _patiently(lambda: begin_held(site, file.video_id, file.size, file.wish), file.video_id)
    with holding(site, file.video_id):
        try:
            return intake.queue()
        except BaseException:  # whatever ended it, a stopping server too: no row, so no file
            if not intake.may_be_stored():
                site.media.remove_video(file.video_id)
            raise


def _patiently(step: Callable[[], T], video_id: str) -> T:
    """Take a step in the store.

    A store that restarts is waited for: the file has come in already. A full disk takes a person.
    """
    deadline = time.monotonic() + _STORE_PATIENCE_S
    while True:
        try:
            return step()
        except StoreBusy as error:
            if isinstance(error, DiskFull) or time.monotonic() > deadline:
                raise
            log.warning("upload waits for the store video_id=%s reason=%s", video_id, error)
            time.sleep(_STORE_LOOK_S)


def finish_upload(
    site: Site, upload_id: str, check: Callable[[str], None] = lambda sha256: None
) -> Upload:
    """Make a whole upload a job, once, however many ask for it at once; return its settled row.

    `check` is told its content's SHA-256 before that; what it raises leaves all as it was.

    What is refused for good is noted with the upload, and its file removed. Raises what may go
    better next time, such as StoreBusy: then all is left for that.
    """
    arrivals = site.media.storage.arrivals
    with arrivals.undisturbed(upload_id):
        with site.store.read() as session:
            upload = session.get(Upload, upload_id)
        if upload is None or upload.is_settled:  # somebody else was first
            return _settled(site, upload_id)
        with arrivals.whole(upload_id, upload.length_bytes) as whole:
            check(whole.sha256)
            received = Received(
                path=whole.path,
                sha256=whole.sha256,
                size=upload.length_bytes,
                wish=Wish(
                    upload.filename, Parameters.from_json(upload.parameters), upload.priority
                ),
                # So that after a kill the file is found on either side of its move.
                video_id=upload_id,
                settle=lambda session, job: uploads.settle(session, upload_id, job),
                is_kept=whole.is_kept,
            )
            _settle(site, received, upload)
    return _settled(site, upload_id)


def _settle(site: Site, received: Received, upload: Upload) -> None:
    """Queue the job of an upload, or note with it what it is refused with for good."""
    submission = Submission()
    submission.add("receive", upload.created_ms * 1_000_000)
    try:
        facts = _facts(site, received, submission)
        _Intake(site, received, facts, new_id(), submission).queue()
    except _FOR_GOOD as failure:
        with site.store.write() as session:
            uploads.settle_failed(session, upload.id, failure)
        site.media.remove_upload(upload.id)
    except Conflict:  # on another host, whose locks aren't ours
        pass


def refusal_of(upload: Upload) -> AppError:
    """Return what a refused upload was refused with."""
    others = (InvalidRequest, FetchFailed)
    kinds: dict[str, type[AppError]] = {**FAILURES, **{error.kind: error for error in others}}
    return kinds[upload.failure_kind or ""](upload.failure_text)


def remove_upload(site: Site, upload_id: str) -> None:
    """Give an upload up, with what has come of it. A job that it has become stays."""
    with site.media.storage.arrivals.undisturbed(upload_id):
        with site.store.write() as session:
            has_no_job = uploads.remove_upload(session, upload_id)
        if has_no_job:
            site.media.remove_upload(upload_id)


def _settled(site: Site, upload_id: str) -> Upload:
    with site.store.read() as session:
        upload = session.get(Upload, upload_id)
    if upload is None or not upload.is_settled:
        raise NotFound("This upload is gone: begin it anew.")
    return upload


def _facts(site: Site, file: Received, submission: Submission) -> VideoFacts:
    """Return what the file holds; it is probed unless its content is known."""
    with site.store.read() as session:
        video = find_video(session, file.sha256)
    if video is not None:
        return facts_of(video)
    with submission.step("probe"), _PROBES:
        return probe(file.path, file.wish.filename)


@dataclass(frozen=True, slots=True)
class _Intake:
    """The rows of one upload. Their ids are chosen first, so that it can be told what a lost commit did."""

    site: Site
    file: Received
    facts: VideoFacts
    job_id: str
    submission: Submission

    def queue(self) -> str:
        """Keep the file, store its rows, tell the workers; return the job's id."""
        media, file = self.site.media, self.file
        if not file.is_kept:
            media.keep(file.path, file.video_id, stays=file.stays)
        with self.submission.step("store"):
            used, hints = self._store()
        if used != file.video_id:
            with suppress(StoreBusy):  # the job is there: what is left over, the sweep removes
                media.remove_video(file.video_id)
                with self.site.store.write() as session:
                    uploads.let_go(session, [file.video_id])
        log.info("job queued job_id=%s video_id=%s bytes=%d", hints.job_id, used, file.size)
        self.submission.queued(hints.job_id, bytes=file.size)
        send_hints(self.site.celery, hints)
        return hints.job_id

    def _store(self) -> tuple[str, Hints]:
        """Write the rows; return the id under which the file is used, and what to tell the workers."""
        tries = 0
        while True:
            try:
                return _patiently(self._store_once, self.file.video_id)
            except IntegrityError:
                tries += 1
                if tries == _TRIES:
                    raise

    def may_be_stored(self) -> bool:
        """Tell whether the rows are there; a store that can't be asked may have them."""
        try:
            with self.site.store.read() as session:
                return session.get(Job, self.job_id) is not None
        except StoreBusy:
            return True  # the sweep knows later

    def _store_once(self) -> tuple[str, Hints]:
        settings = self.site.settings
        known = self._bring_back()
        with self.site.store.write() as session:
            job = session.get(Job, self.job_id) or self._add_job(session, known)
            return job.video_id, jobs.open_hints(session, job, settings.job_parallelism)

    def _bring_back(self) -> Video | None:
        """Return the video with this content; its file is there, for one that was gone is replaced.

        That happens before the transaction, which must not wait for a storage. If it fails, a video
        that was removed has a file again, which the sweep removes.
        """
        with self.site.store.read() as session:
            known = find_video(session, self.file.sha256)
        if known is not None:
            if is_being_removed(known):
                raise StoreBusy(
                    "The same content is being removed just now: try again in a moment."
                )
            self.site.media.mend(known.id, self.file.video_id)
        return known

    def _add_job(self, session: Session, known: Video | None) -> Job:
        video = self._locked(session, known) or add_video(
            session, self.file.video_id, self.file.sha256, self.file.size, self.facts
        )
        job = jobs.create_job(
            session,
            video,
            self.file.wish.filename,
            self.file.wish.parameters,
            chunk_windows=self.site.settings.chunk_windows,
            priority=self.file.wish.priority,
            job_id=self.job_id,
        )
        self.file.settle(session, job)
        return job

    def _locked(self, session: Session, known: Video | None) -> Video | None:
        """Return the video with this content, kept from other writers.

        Raises StoreBusy if it has come, or its file was removed, since that was replaced.
        """
        found = find_video(session, self.file.sha256)
        video = found and lock_video(session, found.id)
        if video is not None:
            if known is None or (video.id, video.removed_ms) != (known.id, known.removed_ms):
                raise StoreBusy("The same content came or was removed just now: try again.")
            video.removed_ms = None
        return video


def finish_whole_uploads(site: Site) -> None:
    """Queue the uploads that were whole when the server was killed before their jobs were stored."""
    for upload in _open_uploads(site):
        try:
            size = site.media.storage.arrivals.size(upload.id, upload.length_bytes)
            if size == upload.length_bytes:
                finish_upload(site, upload.id)
        except AppError as failure:  # it stays whole, and is asked for again
            log.warning("whole upload not queued upload_id=%s reason=%s", upload.id, failure)
        except Exception:  # a bug with one must not end it for the others
            log.exception("whole upload not queued upload_id=%s", upload.id)


def _open_uploads(site: Site) -> Sequence[Upload]:
    """Return them as soon as the store answers: it may be started beside this server."""
    while True:
        try:
            with site.store.read() as session:
                return uploads.list_uploads(session, None, limit=None)
        except StoreBusy as error:
            log.warning("whole uploads wait for the store reason=%s", error)
            time.sleep(_STORE_LOOK_S)
