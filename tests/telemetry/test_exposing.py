"""A process without a page tells its metrics on a port of its own: to whom may ask, and nobody else's."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from serve.programs import plan_programs
from settings import BadSetting, Settings
from telemetry.exposing import is_metrics_token, serve_metrics
from tests.journey.stack import ROOT

TOKEN = "only for numbers"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    return registry


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_metrics_are_told_and_nothing_else(registry: CollectorRegistry, host: str) -> None:
    port = serve_metrics(registry, host, 0, token="")
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    answer = httpx.get(f"{base}/metrics")
    assert "\nthings_total 3.0\n" in answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert httpx.get(base).status_code == 404


def test_with_a_token_only_its_bearer_is_told(registry: CollectorRegistry) -> None:
    port = serve_metrics(registry, "127.0.0.1", 0, TOKEN)
    for given in ("", "Bearer", "Bearer other", f"Basic {TOKEN}", "Bearer \xff"):
        headers = [(b"Authorization", given.encode("latin-1"))]
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=headers)
        assert (answer.status_code, "things" in answer.text) == (401, False), given
    headers = [(b"Authorization", f"Bearer {TOKEN}".encode())]
    assert "things_total" in httpx.get(f"http://127.0.0.1:{port}/metrics", headers=headers).text


def test_no_secret_is_the_token_where_there_is_none() -> None:
    assert not is_metrics_token("", "")
    assert is_metrics_token(TOKEN, TOKEN)


def test_a_port_in_use_is_told_and_the_process_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        env = {"METRICS_PORT": str(port), "REDIS_URL": "redis://127.0.0.1:1/0"}
        result = subprocess.run(
            [sys.executable, "-m", "cli", "beat"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert result.returncode == 2
    assert f"port {port}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"METRICS_PORT": "65536"}, "METRICS_PORT must be"),
        ({"METRICS_PORT": "9101", "METRICS_HOST": "0.0.0.0"}, "set METRICS_TOKEN"),
        ({"METRICS_TOKEN": "short"}, "METRICS_TOKEN is too short"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:port"}, "OTEL_EXPORTER_OTLP_ENDPOINT can't"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(environ: dict[str, str], told: str) -> None:
    with pytest.raises(BadSetting, match=told):
        Settings.from_env(environ)


def test_the_token_is_a_secret() -> None:
    settings = Settings(metrics_token=TOKEN)
    assert TOKEN in settings.secrets
    assert TOKEN not in repr(settings)


def test_serve_gives_each_process_a_port_of_its_own(tmp_path: Path) -> None:
    settings = Settings(metrics_port=9101, worker_processes=2)
    with socket.socket() as listener:
        programs = plan_programs(settings, {}, listener, tmp_path)
        silent = plan_programs(Settings(), {}, listener, tmp_path)
    ports = {program.name: program.env.get("METRICS_PORT") for program in programs}
    assert ports == {"web": None, "beat": "9101", "worker-1": "9102", "worker-2": "9103"}
    assert {program.env.get("METRICS_PORT") for program in silent} == {None, "0"}
