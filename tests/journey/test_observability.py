"""What a running stack tells Prometheus and an OpenTelemetry collector, and what the dashboard asks of it."""

import base64
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serve.broker import free_port
from serve.sample import SAMPLE
from tests.journey.collector import Collector, Span, running_collector
from tests.journey.promql import (
    ALERTS,
    alert_expressions,
    dashboard_expressions,
    names_in,
)
from tests.journey.stack import running_stack
from tests.packaging.processes import wait_for

STAGES = {"waiting", "decode", "vision", "prefill", "generate"}
OF_PROMETHEUS = {"job", "instance"}
SILENT_HERE = ("reelnotes_gpu_", 'code=~"5.."', " > ", " == 0")
"""What an expression has that rightly finds nothing on a machine without a GPU where all is well."""


@dataclass
class Watched:
    url: str
    beat_port: int
    collector: Collector
    jobs: list[str]  # one sent whole, one by pieces
    segments: list[dict[str, Any]]  # of the first
    texts: dict[str, str]  # what each program tells


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Comment the sample twice and look at every program."""
    data_dir, port = tmp_path_factory.mktemp("watched") / "data", two_free_ports()
    data_dir.mkdir()
    (data_dir / "welcomed").touch()  # else `serve` submits the sample by itself
    with (
        running_collector() as collector,
        running_stack(
            data_dir,
            METRICS_PORT=str(port),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_BSP_SCHEDULE_DELAY="200",
            CHUNK_WINDOWS="2",
        ) as stack,
        stack.client() as client,
    ):
        whole = client.submit(SAMPLE, {})["id"]
        pieces = send_by_tus(stack.url)
        assert [stack.wait_until_ended(job) for job in (whole, pieces)] == ["done", "done"]
        assert httpx.get(f"{stack.url}/api/jobs/{'a' * 16}").status_code == 404
        texts = {
            "web": httpx.get(f"{stack.url}/metrics").text,
            "beat": httpx.get(f"http://127.0.0.1:{port}/metrics").text,
            "worker": httpx.get(f"http://127.0.0.1:{port + 1}/metrics").text,
        }
        segments: Any = client.segments(whole)["segments"]
        yield Watched(stack.url, port, collector, [whole, pieces], segments, texts)


def two_free_ports() -> int:
    """Return the first of two on which nothing listens now."""
    while True:
        port = free_port()
        with suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def send_by_tus(url: str) -> str:
    content = SAMPLE.read_bytes()
    headers = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    metadata = f"filename {base64.b64encode(b'bikes.mp4').decode()}"
    begun = httpx.post(
        f"{url}/api/uploads",
        headers={**headers, "Upload-Length": str(len(content)), "Upload-Metadata": metadata},
        content=content[:100_000],
    )
    assert begun.status_code == 201, begun.text
    ended = httpx.patch(
        f"{url}{begun.headers['Location']}",
        headers={**headers, "Upload-Offset": "100000"},
        content=content[100_000:],
        timeout=60,
    )
    return str(ended.headers["Reelnotes-Job"])


def samples(text: str) -> dict[str, float]:
    """Return each series, written as name{label=value,…} with its labels in order."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_the_worker_counts_every_window_once(watched: Watched) -> None:
    told = samples(watched.texts["worker"])
    windows = 2 * len(watched.segments)
    by_kind = {kind: v for kind, v in told.items() if kind.startswith("reelnotes_windows_total")}
    assert sum(by_kind.values()) == windows
    for stage in STAGES | {"total"}:
        about = f"commentator=builtin,stage={stage}"
        name = "reelnotes_window_stage_duration_seconds"
        assert told[f"{name}_count{{{about}}}"] == windows, stage
    video_s = 2 * watched.segments[-1]["end_ms"] / 1000
    assert told["reelnotes_video_seconds_total{commentator=builtin}"] == pytest.approx(video_s)
    tokens = 2 * sum(segment["tokens_out"] or 0 for segment in watched.segments)
    assert told["reelnotes_tokens_total{commentator=builtin,direction=out}"] == tokens
    assert told["reelnotes_streams{commentator=builtin}"] >= 1


def test_web_tells_of_store_broker_and_its_own_requests(watched: Watched) -> None:
    told = samples(watched.texts["web"])
    assert told["reelnotes_jobs{state=done}"] == 2
    assert told["reelnotes_jobs{state=failed}"] == 0
    assert told["reelnotes_workers{commentator=builtin}"] == 1
    assert (told["reelnotes_store_up{}"], told["reelnotes_broker_up{}"]) == (1, 1)
    size = SAMPLE.stat().st_size
    assert told["reelnotes_upload_bytes_total{way=whole}"] == size
    assert told["reelnotes_upload_bytes_total{way=tus}"] == size
    about = "code=201,method=POST,route=/api/jobs"
    assert told[f"reelnotes_http_requests_total{{{about}}}"] == 1
    assert told["reelnotes_http_refusals_total{kind=not-found}"] == 1


def test_each_program_says_who_it_is_and_none_tells_what_another_does(watched: Watched) -> None:
    series = {program: set(samples(text)) for program, text in watched.texts.items()}
    for program, names in series.items():
        builds = [name for name in names if name.startswith("reelnotes_build_info")]
        assert len(builds) == 1
        assert f"program={program}," in builds[0]
    facts = {name for name in series["web"] if re.match(r"reelnotes_(jobs|queue|workers)", name)}
    assert facts
    assert not facts & (series["beat"] | series["worker"])
    assert not any(name.startswith("reelnotes_windows") for name in series["web"])
    sweeps = "reelnotes_sweeps_total{outcome=done,step=sweep}"
    assert samples(watched.texts["beat"])[sweeps] >= 1
    assert sweeps not in series["worker"] | series["web"]


def test_no_label_names_a_job_a_file_or_an_address(watched: Watched) -> None:
    for text in watched.texts.values():
        assert not any(job in text for job in watched.jobs)
        assert "bikes" not in text
        assert "aaaaaaaaaaaaaaaa" not in text


def known_names(watched: Watched) -> tuple[set[str], set[str]]:
    """Return the names of all series, and of all their labels; a family that is empty here counts."""
    metrics, labels = {"up"}, {"le", *OF_PROMETHEUS}
    for text in watched.texts.values():
        for family in text_string_to_metric_families(text):
            metrics |= {family.name, *(sample.name for sample in family.samples)}
            labels.update(*(sample.labels for sample in family.samples))
    return metrics, labels | {"gpu", "name"}


@pytest.mark.parametrize("expressions", [dashboard_expressions, alert_expressions])
def test_dashboard_and_alerts_name_only_what_is_told(watched: Watched, expressions: Any) -> None:
    metrics, labels = known_names(watched)
    for expression in expressions():
        named = names_in(expression)
        assert named.metrics, expression
        assert named.metrics <= metrics, expression
        assert named.labels <= labels, expression


def test_the_reader_of_expressions_finds_what_is_wrong() -> None:
    named = names_in(
        'sum by (a, b) (rate(x_total{c=~"d(e)f"}[5m])) / y_bytes offset 15m > 0.5 or time() - z'
    )
    assert (named.metrics, named.labels) == ({"x_total", "y_bytes", "z"}, {"a", "b", "c"})


@pytest.mark.parametrize("what", [("config", "--syntax-only"), ("rules",)])
def test_prometheus_accepts_the_files(what: tuple[str, ...]) -> None:
    if not shutil.which("promtool"):
        pytest.skip("needs promtool (Debian's package prometheus), which is not on this machine")
    file = ALERTS.with_name("prometheus.yml") if what[0] == "config" else ALERTS
    check = subprocess.run(
        ["promtool", "check", *what, str(file)], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr


def test_a_real_prometheus_answers_every_panel(watched: Watched, tmp_path: Path) -> None:
    if not shutil.which("prometheus"):
        pytest.skip("needs prometheus (Debian's package), which is not on this machine")
    with running_prometheus(watched, tmp_path) as url:
        wait_for(lambda: ask(url, "min(count_over_time(up[1m])) >= 3"), "three looks at each")
        for expression in (*dashboard_expressions(), *alert_expressions()):
            found = ask(url, expression)
            silent = any(words in expression for words in SILENT_HERE)
            assert found or silent, expression
        wait_for(lambda: ask_rules(url) == {"ok"}, "the rules")


@contextmanager
def running_prometheus(watched: Watched, folder: Path) -> Iterator[str]:
    jobs = {
        "web": watched.url.removeprefix("http://"),
        "beat": f"127.0.0.1:{watched.beat_port}",
        "worker": f"127.0.0.1:{watched.beat_port + 1}",
    }
    lines = [
        "global: {scrape_interval: 1s, evaluation_interval: 1s}",
        f"rule_files: ['{ALERTS}']",
        "scrape_configs:",
    ]
    for name, target in jobs.items():
        lines += [f"  - job_name: reelnotes-{name}", f"    static_configs: [targets: ['{target}']]"]
    (folder / "prometheus.yml").write_text("\n".join(lines))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [
            *("prometheus", f"--config.file={folder / 'prometheus.yml'}"),
            *(f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={address}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def ask(url: str, expression: str) -> list[Any]:
    try:
        answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}, timeout=20)
    except httpx.TransportError:
        return []
    if answer.status_code == 503:  # it is starting
        return []
    body = answer.json()
    assert body["status"] == "success", (expression, body)
    result: list[Any] = body["data"]["result"]
    return result


def ask_rules(url: str) -> set[str]:
    groups = httpx.get(f"{url}/api/v1/rules").json()["data"]["groups"]
    return {rule["health"] for group in groups for rule in group["rules"]}


def trace_of(watched: Watched, job: str) -> list[Span]:
    """Return a job's spans once all of its windows have come."""

    def whole() -> list[Span] | None:
        starts = [s for s in watched.collector.spans if s.facts.get("reelnotes.job") == job]
        spans = watched.collector.of_trace(starts[0].trace) if starts else []
        names = [span.name for span in spans]
        is_whole = "job" in names and names.count("window") == len(watched.segments)
        return spans if is_whole and names.count("chunk") >= 2 else None

    return wait_for(whole, "the job's spans")


@pytest.mark.parametrize("which", [0, 1])
def test_a_jobs_trace_leads_from_its_upload_to_its_segments(watched: Watched, which: int) -> None:
    spans = trace_of(watched, watched.jobs[which])
    by_id = {span.id: span for span in spans}
    (first,) = [span for span in spans if not span.parent]
    assert (first.service, first.name) == ("reelnotes-web", "job")
    parents = {
        (by_id[span.parent].name, by_id[span.parent].service, span.name, span.service)
        for span in spans
        if span.parent
    }
    web, worker = "reelnotes-web", "reelnotes-worker"
    steps = {"receive", "store"} if which else {"receive", "probe", "store"}
    assert parents == {
        *(("job", web, step, web) for step in steps),
        ("job", web, "chunk", worker),
        ("chunk", worker, "claim", worker),
        ("chunk", worker, "window", worker),
        *(("window", worker, stage, worker) for stage in {*STAGES, "store"}),
    }
    assert first.facts["reelnotes.bytes"] == SAMPLE.stat().st_size
    chunks = [span for span in spans if span.name == "chunk"]
    assert all(first.begun_ns < chunk.begun_ns < chunk.ended_ns for chunk in chunks)
    assert not any(span.failed for span in spans)


def test_a_windows_spans_have_the_times_that_its_segment_has(watched: Watched) -> None:
    spans = trace_of(watched, watched.jobs[0])
    windows = {span.facts["reelnotes.window"]: span for span in spans if span.name == "window"}
    assert set(windows) == {segment["index"] for segment in watched.segments}
    for segment in watched.segments:
        window = windows[segment["index"]]
        inside = {span.name: span for span in spans if span.parent == window.id}
        for stage in STAGES:
            measured = segment["timings"][f"{stage}_ms"]
            assert inside[stage].ms == pytest.approx(measured, abs=0.01), stage
        assert window.ms >= segment["timings"]["total_ms"] - 0.01
        assert window.facts["reelnotes.kind"] == segment["kind"]
