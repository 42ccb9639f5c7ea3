"""Server-sent events: what is said of a job, and how it goes, as it happens.

A stream tells what is stored, then what its job's feed finds. It ends when the job has ended and all was
sent. Each holds a thread of the server, so there is a limit to them.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from flask import Blueprint, Response, request, stream_with_context

from models import jobs
from models.errors import NotFound, StoreBusy
from web.feeds import (
    LOOK_S,
    SEGMENTS_AN_EVENT,
    Feed,
    Feeds,
    Start,
    TooFarBehind,
    joined,
    segment_events,
)
from web.sign_in import still_welcome
from web.site import Site, site

bp = Blueprint("events", __name__)

MOST_STREAMS = 100  # of the server's threads: see serve/programs.py
HEARTBEAT_S = 15.0
RETRY_MS = 2000

_CHECK_S = 2.0  # a token that was revoked reads on for no longer

_places = threading.BoundedSemaphore(MOST_STREAMS)
_feeds = Feeds()


@bp.get("/api/jobs/<id:job_id>/events")
def stream(job_id: str) -> Response:
    """Send `segments`, `writing` and `job` events from window `since` on; Last-Event-ID goes before it."""
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
    yield f"retry: {RETRY_MS}\n\n"
    with _feeds.of(here, job_id) as feed:
        start = feed.join()
        yield from _stored(here, job_id, since, start)
        for event in start.events:
            yield event.text
        if not start.events[-1].is_last:
            yield from _listen(feed, start.position, since)


def _stored(here: Site, job_id: str, since: int, start: Start) -> Iterator[str]:
    """Tell what the feed told before this stream joined it."""
    spans = ((max(first, since), stop) for first, stop in start.spans)
    for first, stop in joined(span for span in spans if span[0] < span[1]):
        for begin in range(first, stop, SEGMENTS_AN_EVENT):
            end = min(stop, begin + SEGMENTS_AN_EVENT)
            try:
                # A transaction each: a browser that reads slowly must not hold one open.
                with here.store.read() as session:
                    job = jobs.get_job(session, job_id)
                    events = list(segment_events(session, job, begin, end, start.missing))
            except NotFound:  # deleted just now: the feed tells
                return
            for event in events:
                yield event.text_since(begin)


def _listen(feed: Feed, position: int, since: int) -> Iterator[str]:
    spoken = checked = time.monotonic()
    while True:
        try:
            events = feed.after(position)
        except TooFarBehind:  # it comes back and goes on where it is
            return
        for event in events:
            if text := event.text_since(since):
                yield text
                spoken = time.monotonic()
            if event.is_last:
                return
        position += len(events)
        now = time.monotonic()
        if now - spoken > HEARTBEAT_S:
            yield ": still here\n\n"
            spoken = now
        if now - checked > _CHECK_S:
            if not still_welcome():
                return
            checked = now
        if not events:
            time.sleep(LOOK_S)
        with suppress(StoreBusy):  # looked for again in a moment
            feed.look()
