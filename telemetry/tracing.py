"""Traces of jobs for OpenTelemetry, one for each job, from its upload to its last segment.

    job ─┬─ receive, probe, store                          (web)
         ├─ chunk ─┬─ claim                                (a worker)
         │         ├─ window ── waiting, decode, vision, prefill, generate, store
         │         └─ window …
         └─ chunk …                                        (another worker, or a later attempt)

A trace's ids are made from the job's, which stands in its row and in every hint. So nothing has to be
handed on: work that the sweep brings back, days later on another machine, still joins its trace.

Without an endpoint nothing of OpenTelemetry is imported and each call here returns at once.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from settings import BadSetting, Settings

Facts = Mapping[str, str | int | None]
"""Attributes of a span; those that are None are left out."""

STAGES = ("waiting", "decode", "vision", "prefill", "generate")


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of time, in nanoseconds since 1970."""

    name: str
    begun_ns: int
    ended_ns: int


class Tracer(Protocol):
    def job(self, job_id: str, steps: list[Step], facts: Facts) -> None: ...
    @contextmanager
    def chunk(self, job_id: str, begun_ns: int, facts: Facts) -> Iterator[None]: ...
    def note_failure(self, kind: str) -> None: ...
    def window(self, whole: Step, stages: list[Step], facts: Facts) -> None: ...


_tracer: Tracer | None = None


def install(settings: Settings, program: str) -> None:
    """Send spans from now on, if there is an endpoint. Raises BadSetting without the extra."""
    global _tracer
    if not settings.otel_exporter_otlp_endpoint:
        return
    try:
        from telemetry.otlp import Otlp
    except ImportError as error:
        raise BadSetting(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry isn't installed ({error}). "
            "Install it: .venv/bin/pip install -e '.[otel]'; or unset it."
        ) from error
    _tracer = Otlp(settings.otel_exporter_otlp_endpoint, program)


@dataclass(slots=True)
class Submission:
    """The way of a video from its first byte to a queued job, measured step by step."""

    steps: list[Step] = field(default_factory=list)

    def add(self, name: str, begun_ns: int) -> None:
        """Note a step that ends now."""
        self.steps.append(Step(name, begun_ns, time.time_ns()))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun_ns = time.time_ns()
        yield
        self.add(name, begun_ns)

    def queued(self, job_id: str, **facts: str | int | None) -> None:
        """Begin the job's trace with what led to it."""
        if _tracer is not None and self.steps:
            named = {f"reelnotes.{name}": value for name, value in facts.items()}
            _tracer.job(job_id, self.steps, named)


@contextmanager
def chunk(job_id: str, begun_ns: int, facts: Facts) -> Iterator[None]:
    """Trace the work on a chunk whose claim began then and has ended now."""
    if _tracer is None:
        yield
        return
    with _tracer.chunk(job_id, begun_ns, facts):
        yield


def note_failure(kind: str) -> None:
    """Mark the chunk under way in this thread as failed."""
    if _tracer is not None:
        _tracer.note_failure(kind)


def window(
    *, commented_ns: int, total_ms: float, stages_ms: Mapping[str, float], facts: Facts
) -> None:
    """Trace a window of the chunk under way: commented then, stored now.

    Stages are known by their length. They are laid one after another from the window's begin, as they
    happen; decoding, which runs ahead elsewhere, ends with the waiting and may begin before the window.
    """
    if _tracer is None:
        return
    begun_ns = commented_ns - _ns(total_ms)
    waited_ns = begun_ns + _ns(stages_ms["waiting"])
    stages = [
        Step("waiting", begun_ns, waited_ns),
        Step("decode", waited_ns - _ns(stages_ms["decode"]), waited_ns),
    ]
    at = waited_ns
    for stage in ("vision", "prefill", "generate"):
        stages.append(Step(stage, at, at + _ns(stages_ms[stage])))
        at = stages[-1].ended_ns
    ended_ns = max(time.time_ns(), commented_ns)
    stages.append(Step("store", commented_ns, ended_ns))
    _tracer.window(Step("window", begun_ns, ended_ns), stages, facts)


def _ns(ms: float) -> int:
    return round(ms * 1_000_000)
