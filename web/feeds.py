"""What all streams of a job tell: looked up once and written once, however many people watch.

There is no thread of its own: whichever stream finds the last look too long ago takes the next one.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from models import jobs
from models.additions import makings_of_all
from models.errors import NotFound
from models.segments import count_stored, first_missing, list_segments, stored_spans
from models.tables import Job
from web.answers import job_shape, segment_shapes, writing_shapes
from web.shapes import WritingShape
from web.site import Site

LOOK_S = 0.3
SEGMENTS_AN_EVENT = 500

_JOB_EVENT_S = 1.0  # between two that tell of the same state
KEPT_EVENTS = 400  # a stream that is further behind than that has stopped reading


@dataclass(frozen=True, slots=True)
class Event:
    """Something new, as text. Segments stand apart, for not every stream wants all of them."""

    text: str = ""
    segments: Sequence[tuple[int, str]] = ()  # index and JSON
    last_id: int = 0
    is_last: bool = False

    def text_since(self, since: int) -> str:
        """Return what a stream from window `since` on tells; "" for nothing."""
        wanted = [segment for index, segment in self.segments if index >= since]
        return segments_event(wanted, self.last_id) if wanted else self.text


@dataclass(frozen=True, slots=True)
class Start:
    """Where the feed stands when a stream joins it: what to tell first, from the store."""

    position: int  # the number of the next event
    spans: Sequence[tuple[int, int]]  # runs [first, stop) of windows that were told
    missing: int  # the first window that has no segment
    events: Sequence[Event]  # what is being written, and the job


class TooFarBehind(Exception):
    """A stream reads so slowly that events it needs are gone."""


@dataclass(slots=True)
class _Known:
    """What a feed has told."""

    version: Hashable = None
    cursors: dict[int, int] = field(default_factory=dict)  # chunk's first window: next one to tell
    missing: int = 0
    stored: int = 0
    writing: list[WritingShape] = field(default_factory=list)
    pulse: tuple[Any, ...] | None = None  # None: nobody has looked yet
    owes_job: bool = True  # the job changed, but was told of just before
    job_told: float = 0.0
    job: Event = field(default_factory=Event)


@dataclass(slots=True)
class Feed:
    """One job's events, numbered in order."""

    site: Site
    job_id: str
    streams: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _events: deque[Event] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    _position: int = 0  # the number of the next event
    _looked: float = -LOOK_S
    _known: _Known = field(default_factory=_Known)

    @property
    def has_ended(self) -> bool:
        return self._known.job.is_last

    def join(self) -> Start:
        """Look at once, so that whoever joins begins with what is stored now."""
        with self._lock:
            self._look()
            known = self._known
            writing = [_writing_event(known.writing)] if known.writing else []
            spans = sorted(known.cursors.items())
            return Start(self._position, spans, known.missing, [*writing, known.job])

    def look(self) -> None:
        """Find what is new, unless that was done just now or is being done."""
        if time.monotonic() - self._looked < LOOK_S or not self._lock.acquire(blocking=False):
            return
        try:
            self._look()
        finally:
            self._lock.release()

    def after(self, position: int) -> list[Event]:
        """Return the events from this number on. Raises TooFarBehind."""
        with self._lock:
            count = self._position - position
            if count > len(self._events):
                raise TooFarBehind
            return [self._events[index] for index in range(-count, 0)]

    def _look(self) -> None:
        """Take up all that is new, or nothing: the store may go away in between."""
        self._looked = time.monotonic()
        version = self.site.store.version()
        if (version == self._known.version and not self._known.owes_job) or self._known.job.is_last:
            return
        known = replace(self._known, version=version)
        try:
            with self.site.store.read() as session:
                events = list(_news(session, self.site, self.job_id, known))
        except NotFound:
            known.job = Event(message("deleted", {}), is_last=True)
            events = [known.job]
        self._known = known
        self._events.extend(events)
        self._position += len(events)


def _news(session: Session, site: Site, job_id: str, known: _Known) -> Iterator[Event]:
    """Yield what isn't known yet and note it there."""
    job = jobs.get_job(session, job_id)
    stored = count_stored(session, job_id)
    if stored != known.stored:
        yield from _new_segments(session, job, known)
        known.stored = stored
    writing = writing_shapes(session, job)
    if writing != known.writing:
        known.writing = writing
        yield _writing_event(writing)
    yield from _job_now(session, site, job, known)


def _new_segments(session: Session, job: Job, known: _Known) -> Iterator[Event]:
    known.missing = first_missing(session, job)
    spans = stored_spans(session, job.id)
    fresh = [(known.cursors.get(first, first), stop) for first, stop in spans]
    known.cursors = dict(spans)
    if known.pulse is None:  # whoever joins reads by himself what was stored before
        return
    for start, stop in joined(span for span in fresh if span[0] < span[1]):
        yield from segment_events(session, job, start, stop, known.missing)


def _job_now(session: Session, site: Site, job: Job, known: _Known) -> Iterator[Event]:
    """Tell of the job when it changed; of mere progress not more often than once a second."""
    makings = tuple(makings_of_all(session, [job])[job.id])
    pulse = (job.state, job.priority, known.stored, makings)
    known.owes_job = pulse != known.pulse
    is_same_state = known.pulse is not None and known.pulse[0] == job.state
    was_told_just_now = time.monotonic() - known.job_told < _JOB_EVENT_S
    if not known.owes_job or (is_same_state and was_told_just_now):
        return
    known.pulse, known.job_told, known.owes_job = pulse, time.monotonic(), False
    known.job = Event(message("job", job_shape(session, site, job)), is_last=job.state.ended)
    yield known.job


class Feeds:
    """The feeds of the jobs that are being watched."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._lock = threading.Lock()

    @contextmanager
    def of(self, site: Site, job_id: str) -> Iterator[Feed]:
        """Yield a job's feed; it is dropped with its last stream."""
        with self._lock:
            feed = self._feeds.get(job_id)
            if feed is None or feed.has_ended:  # a job may be taken up again
                feed = self._feeds[job_id] = Feed(site, job_id)
            feed.streams += 1
        try:
            yield feed
        finally:
            with self._lock:
                feed.streams -= 1
                if not feed.streams and self._feeds.get(job_id) is feed:
                    del self._feeds[job_id]


def segment_events(
    session: Session, job: Job, start: int, stop: int, missing: int
) -> Iterator[Event]:
    """Read the segments of windows [start, stop), so many an event."""
    for first in range(start, stop, SEGMENTS_AN_EVENT):
        count = min(SEGMENTS_AN_EVENT, stop - first)
        shapes = segment_shapes(job, list_segments(session, job.id, since=first, limit=count))
        # Whoever is cut off here goes on behind what was sent, or at an earlier gap.
        yield Event(
            segments=[(shape["index"], json.dumps(shape)) for shape in shapes],
            last_id=min(missing, first + count),
        )


def joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
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


def segments_event(segments: Iterable[str], last_id: int) -> str:
    return f'id: {last_id}\nevent: segments\ndata: {{"segments": [{", ".join(segments)}]}}\n\n'


def message(event: str, data: Any) -> str:
    """Write an event; JSON escapes every line break, so nothing in it can begin another."""
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def _writing_event(writing: Sequence[WritingShape]) -> Event:
    return Event(message("writing", {"writing": writing}))
