"""Traces cost nothing unless they are wanted, and don't stop the work when nobody takes them."""

import subprocess
import sys

from tests.journey.stack import ROOT


def run(program: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_without_an_endpoint_nothing_that_makes_or_sends_spans_is_imported() -> None:
    program = """
import sys
from settings import read_settings
from telemetry import tracing
import web, worker.app, worker.beat
tracing.install(read_settings(), "worker")
with tracing.chunk("a" * 16, 0, {}):
    tracing.note_failure("timeout")
    stages = dict.fromkeys(tracing.STAGES, 1.0)
    tracing.window(commented_ns=0, total_ms=1.0, stages_ms=stages, facts={})
submission = tracing.Submission()
submission.add("receive", 0)
submission.queued("a" * 16)
ours = ("telemetry.otlp", "opentelemetry.sdk.trace", "opentelemetry.exporter")  # redis looks for others
print(sorted(name for name in sys.modules if name.startswith(ours)))
"""
    result = run(program)
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_an_endpoint_without_the_extra_is_refused_with_what_to_do() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None  # as if it weren't installed
from settings import read_settings
from telemetry import tracing
tracing.install(read_settings(), "worker")
"""
    result = run(program, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert result.returncode != 0
    assert "BadSetting: OTEL_EXPORTER_OTLP_ENDPOINT is set" in result.stderr
    assert "'.[otel]'" in result.stderr


def test_a_failed_chunk_is_marked_and_a_collector_that_is_away_ends_nothing() -> None:
    program = """
from settings import read_settings
from telemetry import tracing
from opentelemetry import trace
tracing.install(read_settings(), "worker")
with tracing.chunk("a" * 16, 0, {"reelnotes.chunk": 3}):
    tracing.note_failure("timeout")
    span = trace.get_current_span()
    print(span.status.status_code.name, dict(span.attributes), span.parent.trace_id == span.context.trace_id)
"""
    result = run(program, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert result.returncode == 0, result.stderr
    facts = {"reelnotes.job": "a" * 16, "reelnotes.chunk": 3, "error.type": "timeout"}
    assert result.stdout == f"ERROR {facts} True\n"
