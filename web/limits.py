"""How much one person may ask for. Counted in this process's memory: each web process counts alone."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

from flask import Flask, current_app, g, request

from settings import Settings
from web.errors import TooMany

MOST_FAILURES = 10  # wrong passwords from one network
FAILURES_S = 60.0
MOST_UPLOADS = 48  # arriving at once, of the server's threads: see serve/programs.py
MOST_REMEMBERED = 10_000  # visitors; who was seen longest ago is forgotten first


def install(app: Flask, settings: Settings) -> None:
    app.extensions["reelnotes-limits"] = Limits(
        Rate(settings.requests_per_minute, 60),
        Rate(settings.uploads_per_hour, 3600),
        UnderWay(settings.uploads_at_once),
        Places(MOST_UPLOADS),
    )
    app.before_request(_count_request)


def _count_request() -> None:
    """Count what the API is asked for; files and pages are the browser's own pace."""
    if g.visitor is not None and request.path.startswith("/api/"):
        _limits().requests.take(g.visitor, "requests")


@contextmanager
def one_upload() -> Iterator[None]:
    """Count an upload that comes in this request, while it lasts. Raises TooMany."""
    with one_arriving():
        count_upload()
        yield


@contextmanager
def one_arriving() -> Iterator[None]:
    """Count a request with a file, or a piece of one, while it lasts. Raises TooMany."""
    limits = _limits()
    by_visitor = nullcontext() if g.visitor is None else limits.under_way.one(g.visitor)
    with limits.places.one(), by_visitor:
        yield


def count_upload() -> None:
    """Count an upload that begins. Raises TooMany."""
    if g.visitor is not None:
        _limits().uploads.take(g.visitor, "uploads")


def _limits() -> "Limits":
    limits: Limits = current_app.extensions["reelnotes-limits"]
    return limits


class Rate:
    """So many in a stretch of time, all at once if need be; they come back steadily."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many, as of when
        self._lock = threading.Lock()

    def take(self, visitor: str, what: str) -> None:
        """Raise TooMany for a visitor who has none left."""
        with self._lock:
            now = time.monotonic()
            left, then = self._left.get(visitor, (float(self._most), now))
            left = min(left + (now - then) * self._most / self._seconds, self._most)
            self._left[visitor] = (max(left - 1, 0) if left >= 1 else left, now)
            self._left.move_to_end(visitor)
            while len(self._left) > MOST_REMEMBERED:
                self._left.popitem(last=False)
        if left < 1:
            wait_s = (1 - left) * self._seconds / self._most
            raise TooMany(
                f"Too many {what}: at most {self._most} in {self._seconds / 60:.0f} minutes are taken "
                f"from one person. Wait {wait_s:.0f} s, then try again.",
                retry_after_s=wait_s,
            )


class UnderWay:
    """Uploads that are arriving, by visitor."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def one(self, visitor: str) -> Iterator[None]:
        with self._lock:
            if self._counts.get(visitor, 0) >= self._most:
                raise TooMany(
                    f"Too many uploads at once: at most {self._most} are taken from one person "
                    "(setting UPLOADS_AT_ONCE). Try again when one has ended.",
                    retry_after_s=10,
                )
            self._counts[visitor] = self._counts.get(visitor, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._counts[visitor] -= 1
                if not self._counts[visitor]:
                    del self._counts[visitor]


class Places:
    """Room for uploads, whoever they are from: the rest of the threads are for everything else."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def one(self) -> Iterator[None]:
        if not self._free.acquire(blocking=False):
            raise TooMany(
                f"{self._most} files are arriving just now, as many as this server takes at once. "
                "Try again when one has arrived.",
                retry_after_s=10,
            )
        try:
            yield
        finally:
            self._free.release()


@dataclass(frozen=True, slots=True)
class Limits:
    requests: Rate
    uploads: Rate
    under_way: UnderWay
    places: Places


class Failures:
    """Wrong passwords of the last minute, by network."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str | None) -> None:
        """Raise TooMany for a network from which was guessed too often."""
        with self._lock:
            times = self._times.get(network_of(address), deque())
            while times and time.monotonic() - times[0] > FAILURES_S:
                times.popleft()
            if len(times) >= MOST_FAILURES:
                raise TooMany(
                    "Too many wrong passwords: wait a minute, then try again.",
                    retry_after_s=FAILURES_S,
                )

    def add(self, address: str | None) -> None:
        network = network_of(address)
        with self._lock:
            times = self._times.setdefault(network, deque(maxlen=MOST_FAILURES))
            times.append(time.monotonic())
            self._times.move_to_end(network)
            while len(self._times) > MOST_REMEMBERED:
                self._times.popitem(last=False)


def network_of(address: str | None) -> str:
    """Return who is counted as one: an address, of IPv6 the network that a household gets."""
    try:
        known = ip_address(address or "")
    except ValueError:
        return "unknown"
    if not isinstance(known, IPv6Address):
        return str(known)
    mapped = known.ipv4_mapped
    return str(mapped or IPv6Network((int(known) >> 64 << 64, 64)))
