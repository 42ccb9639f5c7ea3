"""What the workers and the sweep count. Each series begins at 0, so that the first failure is a rise.

Labels take few values: commentators, kinds, stages, steps; never a job, a file or a worker.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from models.errors import FAILURES, StoreBusy
from models.tables import CommentKind, Segment
from telemetry.registry import REGISTRY

STAGES = ("waiting", "decode", "vision", "prefill", "generate", "total")

_WINDOWS = Counter(
    "reelnotes_windows",
    "Windows commented and stored.",
    ["commentator", "kind"],
    registry=REGISTRY,
)
_VIDEO = Counter(
    "reelnotes_video_seconds",
    "Seconds of video commented and stored; its rate is how many times faster than real time.",
    ["commentator"],
    registry=REGISTRY,
)
_STAGES = Histogram(
    "reelnotes_window_stage_duration_seconds",
    "Time of a window in each stage. Decoding runs ahead in a process of its own, so that the "
    "stages add up to more than `total`.",
    ["commentator", "stage"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    registry=REGISTRY,
)
_TOKENS = Counter(
    "reelnotes_tokens",
    "Tokens that a network has read (in) and written (out).",
    ["commentator", "direction"],
    registry=REGISTRY,
)
_CHUNKS = Counter(
    "reelnotes_chunks",
    "Chunks let go: finished or given back in order (released), after an error (failed), or because "
    "they were cancelled or had another owner by then (lost).",
    ["commentator", "outcome"],
    registry=REGISTRY,
)
_FAILURES = Counter(
    "reelnotes_attempts_failed",
    "Attempts at a chunk that ended with an error, by its kind; the third of a window fails the job.",
    ["commentator", "kind"],
    registry=REGISTRY,
)
_BUSY = Gauge(
    "reelnotes_streams_busy",
    "Chunks that this worker comments just now.",
    ["commentator"],
    registry=REGISTRY,
)
_STREAMS = Gauge(
    "reelnotes_streams",
    "Chunks that this worker can comment at once.",
    ["commentator"],
    registry=REGISTRY,
)

_SWEEPS = Counter(
    "reelnotes_sweeps",
    "Steps of the sweep: done, left out because the store was away (away), or ended by a bug (failed).",
    ["step", "outcome"],
    registry=REGISTRY,
)
_SWEEP_TIME = Histogram(
    "reelnotes_sweep_duration_seconds",
    "Time of a step of the sweep.",
    ["step"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60),
    registry=REGISTRY,
)
_LAST_SWEEP = Gauge(
    "reelnotes_sweep_last_done_timestamp_seconds",
    "When a step of the sweep was last done; 0: not since the start.",
    ["step"],
    registry=REGISTRY,
)
_EXPIRED = Counter(
    "reelnotes_leases_expired",
    "Chunks taken back from workers that were silent or gone.",
    registry=REGISTRY,
)


class Meter:
    """The metrics of one commentator in this process."""

    def __init__(self, commentator: str) -> None:
        by_kind = {kind: _WINDOWS.labels(commentator, kind.value) for kind in CommentKind}
        self._windows: Mapping[str, Counter] = {str(kind): by_kind[kind] for kind in by_kind}
        self._video = _VIDEO.labels(commentator)
        self._stages = [(f"{stage}_ms", _STAGES.labels(commentator, stage)) for stage in STAGES]
        self._tokens_in = _TOKENS.labels(commentator, "in")
        self._tokens_out = _TOKENS.labels(commentator, "out")
        self._chunks = {
            outcome: _CHUNKS.labels(commentator, outcome)
            for outcome in ("released", "failed", "lost")
        }
        self._commentator = commentator
        for kind in FAILURES:
            _FAILURES.labels(commentator, kind)
        self.busy = _BUSY.labels(commentator)
        self.streams = _STREAMS.labels(commentator)

    def window_stored(self, segment: Segment) -> None:
        self._windows[str(segment.kind)].inc()
        self._video.inc((segment.end_ms - segment.start_ms) / 1000)
        for column, histogram in self._stages:
            histogram.observe(getattr(segment, column) / 1000)
        self._tokens_in.inc(segment.tokens_in or 0)
        self._tokens_out.inc(segment.tokens_out or 0)

    def chunk_released(self) -> None:
        self._chunks["released"].inc()

    def chunk_lost(self) -> None:
        self._chunks["lost"].inc()

    def chunk_failed(self, kind: str) -> None:
        self._chunks["failed"].inc()
        _FAILURES.labels(self._commentator, kind).inc()


@cache
def meter_of(commentator: str) -> Meter:
    """Return the one meter for a commentator in this process."""
    return Meter(commentator)


def leases_expired(count: int) -> None:
    _EXPIRED.inc(count)


def measured_step(name: str, step: Callable[[], None]) -> Callable[[], None]:
    """Return a step of the sweep that counts how often it was done, and how long that took."""
    outcomes = {outcome: _SWEEPS.labels(name, outcome) for outcome in ("done", "away", "failed")}
    time_taken, last_done = _SWEEP_TIME.labels(name), _LAST_SWEEP.labels(name)

    def measured() -> None:
        with _counted(outcomes), time_taken.time():
            step()
        last_done.set_to_current_time()

    return measured


@contextmanager
def _counted(outcomes: Mapping[str, Counter]) -> Iterator[None]:
    outcome = "failed"
    try:
        yield
        outcome = "done"
    except StoreBusy:
        outcome = "away"
        raise
    finally:
        outcomes[outcome].inc()
