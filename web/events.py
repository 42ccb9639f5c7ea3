"""Server-sent events: what is said of a job, and how it goes, as it happens.

A stream polls the store: gently, and with one cheap query as long as nothing is new. It ends when the
job has ended and all was sent. Each holds a thread of the server, so there is a limit to them.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, request, stream_with_context
from sqlalchemy.orm import Session

from models import jobs
from models.errors import NotFound, StoreBusy
from models.segments import count_stored, first_missing, list_segments, stored_spans
from models.tables import Job
from web.answers import job_shape, segment_shapes
from web.site import Site, site

bp = Blueprint("events", __name__)

MOST_STREAMS = 40  # of the server's 64 threads
HEARTBEAT_S = 15.0
RETRY_MS = 2000

_POLL_S = 0.3
_JOB_EVENT_S = 1.0  # between two that tell of the same state
_SEGMENTS_AN_EVENT = 500

_places = threading.BoundedSemaphore(MOST_STREAMS)


@bp.get("/api/jobs/<id:job_id>/events")
def stream(job_id: str) -> Response:
    """Send `segments` and `job` events from window `since` on; Last-Event-ID goes before it."""
    here = site()
    with here.store.read() as session:
        jobs.get_job(session, job_id)
    if not _places.acquire(blocking=False):
        raise StoreBusy(
            "Too many pages are watching live; this one asks every few seconds instead."
        )
    since = request.headers.get("Last-Event-ID", type=int)
    if since is None:
        since = request.args.get("since", 0, type=int)
    answer = Response(
        stream_with_context(_follow(here, job_id, since)), mimetype="text/event-stream"
    )
    answer.call_on_close(_places.release)
    answer.cache_control.no_store = True
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _follow(here: Site, job_id: str, since: int) -> Iterator[str]:
    watch = _Watch(here, job_id, since)
    yield f"retry: {RETRY_MS}\n\n"
    spoken = time.monotonic()
    while not watch.ended:
        for message in watch.look():
            yield message
            spoken = time.monotonic()
        if time.monotonic() - spoken > HEARTBEAT_S:
            yield ": still here\n\n"
            spoken = time.monotonic()
        if not watch.ended:
            time.sleep(_POLL_S)


@dataclass(slots=True)
class _Watch:
    """What one stream has told already."""

    site: Site
    job_id: str
    since: int
    ended: bool = False
    _told: dict[int, int] = field(default_factory=dict)  # chunk's first window: next one to tell
    _pulse: tuple[Any, ...] | None = None
    _stored: int = -1
    _state: str = ""
    _job_told: float = 0.0

    def look(self) -> Iterator[str]:
        """Yield what is new, then whether that was all there will be."""
        try:
            with self.site.store.read() as session:
                job = jobs.get_job(session, self.job_id)
                stored = count_stored(session, self.job_id)
                messages = [
                    *self._new_segments(session, job, stored),
                    *self._job(session, job, stored),
                ]
        except NotFound:
            self.ended = True
            messages = [_message("deleted", {})]
        yield from messages

    def _new_segments(self, session: Session, job: Job, stored: int) -> Iterator[str]:
        if stored == self._stored:
            return
        self._stored = stored
        missing = first_missing(session, job)
        for start, stop in _joined(self._untold(stored_spans(session, self.job_id))):
            for first in range(start, stop, _SEGMENTS_AN_EVENT):
                count = min(_SEGMENTS_AN_EVENT, stop - first)
                rows = list_segments(session, self.job_id, since=first, limit=count)
                shapes = segment_shapes(job, rows)
                # Whoever is cut off here goes on behind what was sent, or at an earlier gap.
                yield _message("segments", {"segments": shapes}, min(missing, first + count))

    def _untold(self, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        for first, stop in spans:
            start = max(self._told.get(first, first), self.since)
            self._told[first] = stop
            if start < stop:
                yield start, stop

    def _job(self, session: Session, job: Job, stored: int) -> Iterator[str]:
        """Tell of the job when it changed; of mere progress not more often than once a second."""
        self.ended = job.state.ended
        pulse = (job.state, job.priority, stored)
        waits = job.state == self._state and time.monotonic() - self._job_told < _JOB_EVENT_S
        if pulse == self._pulse or waits:
            return
        self._pulse, self._state, self._job_told = pulse, job.state, time.monotonic()
        yield _message("job", job_shape(session, self.site.media, job))


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join spans that adjoin."""
    whole: tuple[int, int] | None = None
    for start, stop in spans:
        if whole is not None and whole[1] == start:
            whole = (whole[0], stop)
            continue
        if whole is not None:
            yield whole
        whole = (start, stop)
    if whole is not None:
        yield whole


def _message(event: str, data: Any, last_id: int | None = None) -> str:
    """Write an event; JSON escapes every line break, so nothing in it can begin another."""
    name = "" if last_id is None else f"id: {last_id}\n"
    return f"{name}event: {event}\ndata: {json.dumps(data)}\n\n"
