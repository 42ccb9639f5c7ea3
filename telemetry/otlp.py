"""Spans as the OpenTelemetry SDK makes and sends them. Imported only where there is an endpoint."""

import hashlib
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, StatusCode, TraceFlags

from telemetry.registry import our_version
from telemetry.tracing import Facts, Step

_PATIENCE_S = 3.0  # for a collector that is away, also when the process ends

_beginning: ContextVar[str | None] = ContextVar("job whose first span is begun", default=None)


class Otlp:
    """Sends what it is told in batches, from a thread of its own; the rest when the process ends."""

    def __init__(self, endpoint: str, program: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # else a line for each new try
        resource = Resource.create(
            {
                "service.name": f"reelnotes-{program}",
                "service.version": our_version(),
                "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            }
        )
        provider = TracerProvider(resource=resource, id_generator=_JobIds())
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_PATIENCE_S
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = provider.get_tracer("reelnotes", our_version())

    def job(self, job_id: str, steps: list[Step], facts: Facts) -> None:
        begun_ns, ended_ns = steps[0].begun_ns, steps[-1].ended_ns
        token = _beginning.set(job_id)
        try:
            span = self._begin("job", Context(), begun_ns, {"reelnotes.job": job_id, **facts})
        finally:
            _beginning.reset(token)
        self._add_all(span, steps)
        span.end(ended_ns)

    @contextmanager
    def chunk(self, job_id: str, begun_ns: int, facts: Facts) -> Iterator[None]:
        parent = _context_of(_first_span(job_id))
        span = self._begin("chunk", parent, begun_ns, {"reelnotes.job": job_id, **facts})
        with trace.use_span(span, end_on_exit=True):
            self._tracer.start_span("claim", start_time=begun_ns).end()
            yield

    def note_failure(self, kind: str) -> None:
        span = trace.get_current_span()
        span.set_attribute("error.type", kind)
        span.set_status(StatusCode.ERROR)

    def window(self, whole: Step, stages: list[Step], facts: Facts) -> None:
        span = self._begin(whole.name, None, whole.begun_ns, facts)
        self._add_all(span, stages)
        span.end(whole.ended_ns)

    def _begin(self, name: str, parent: Context | None, begun_ns: int, facts: Facts) -> Span:
        known = {name: value for name, value in facts.items() if value is not None}
        return self._tracer.start_span(name, parent, attributes=known, start_time=begun_ns)

    def _add_all(self, parent: Span, steps: list[Step]) -> None:
        context = trace.set_span_in_context(parent)
        for step in steps:
            span = self._tracer.start_span(step.name, context, start_time=step.begun_ns)
            span.end(step.ended_ns)


class _JobIds(RandomIdGenerator):
    """Gives the first span of a job, which has no parent, the ids that all others know."""

    def generate_trace_id(self) -> int:
        job_id = _beginning.get()
        return super().generate_trace_id() if job_id is None else _first_span(job_id).trace_id

    def generate_span_id(self) -> int:
        job_id = _beginning.get()
        return super().generate_span_id() if job_id is None else _first_span(job_id).span_id


def _first_span(job_id: str) -> SpanContext:
    digest = hashlib.sha256(b"trace of job " + job_id.encode()).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16], "big"),
        span_id=int.from_bytes(digest[16:24], "big"),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _context_of(parent: SpanContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())
