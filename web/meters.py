"""What this web process counts of its own work.

Labels are rules, kinds and formats of ours; what a stranger sends is never one.
"""

import time
from collections.abc import Iterable

from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram

from telemetry.registry import REGISTRY

_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")

_REQUESTS = Counter(
    "reelnotes_http_requests",
    "Requests answered, by the rule of their address.",
    ["route", "method", "code"],
    registry=REGISTRY,
)
_DURATIONS = Histogram(
    "reelnotes_http_request_duration_seconds",
    "Time until an answer begins, the reading of an upload included.",
    ["route", "method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
    registry=REGISTRY,
)
_REFUSALS = Counter(
    "reelnotes_http_refusals",
    "Requests refused with an error of ours, uploads included, by its kind.",
    ["kind"],
    registry=REGISTRY,
)
_UPLOADED = Counter(
    "reelnotes_upload_bytes",
    "Bytes of uploads that came in, whole or by resumable pieces (tus), those refused later included.",
    ["way"],
    registry=REGISTRY,
)
_RENDERS = Counter(
    "reelnotes_renders",
    "Files rendered, or not: done, cancelled or failed.",
    ["format", "outcome"],
    registry=REGISTRY,
)
_RENDER_TIME = Histogram(
    "reelnotes_render_duration_seconds",
    "Time that a render took, whatever came of it; waiting for its turn not included.",
    ["format"],
    buckets=(1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
    registry=REGISTRY,
)

_WHOLE, _TUS = (_UPLOADED.labels(way) for way in ("whole", "tus"))


def install(app: Flask, formats: Iterable[str]) -> None:
    """Count requests. The series of these formats to render begin at 0."""
    for of_format in formats:
        _RENDER_TIME.labels(of_format)
        for outcome in ("done", "cancelled", "failed"):
            _RENDERS.labels(of_format, outcome)

    def begin() -> None:
        g.measured_from = time.monotonic()

    def count(answer: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "none"
        method = request.method if request.method in _METHODS else "other"
        _REQUESTS.labels(route, method, str(answer.status_code)).inc()
        if (begun := g.get("measured_from")) is not None:
            _DURATIONS.labels(route, method).observe(time.monotonic() - begun)
        return answer

    app.before_request(begin)
    app.after_request(count)


def request_refused(kind: str) -> None:
    _REFUSALS.labels(kind).inc()


def whole_upload_came(size: int) -> None:
    _WHOLE.inc(size)


def piece_came(size: int) -> None:
    _TUS.inc(size)


def render_ended(of_format: str, outcome: str, seconds: float) -> None:
    _RENDERS.labels(of_format, outcome).inc()
    _RENDER_TIME.labels(of_format).observe(seconds)
