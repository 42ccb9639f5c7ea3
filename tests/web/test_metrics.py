"""Prometheus may read the numbers of the page, and a stranger may not."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from models import tokens
from models.errors import BadFile
from models.store import Store
from models.tables import Job
from telemetry.registry import REGISTRY
from tests.web.commenting import fail_next
from tests.web.conftest import BuildApp
from tests.web.requests import upload
from web.site import Site

PASSWORD, TOKEN = "long enough", "only for numbers"


def status(client: FlaskClient, path: str, secret: str | None) -> int:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return client.get(path, headers=headers).status_code


def told(client: FlaskClient, series: str) -> float:
    """Return the value of a series as it stands there."""
    lines = client.get("/metrics").text.splitlines()
    (value,) = [line.removeprefix(series) for line in lines if line.startswith(f"{series} ")]
    return float(value)


def test_the_metrics_token_opens_the_metrics_and_nothing_else(
    build_app: BuildApp, store: Store
) -> None:
    client = build_app(password=PASSWORD, metrics_token=TOKEN).test_client()
    with store.write() as session:
        programs = tokens.add_token(session, "prometheus")
    tried = [None, "", "wrong", TOKEN, programs, PASSWORD]
    assert [status(client, "/metrics", secret) for secret in tried] == [401] * 3 + [200] * 3
    assert status(client, "/api/jobs", TOKEN) == 401


def test_no_secret_opens_the_metrics_where_no_token_is_set(build_app: BuildApp) -> None:
    client = build_app(password=PASSWORD).test_client()
    assert [status(client, "/metrics", secret) for secret in (None, "", " ")] == [401] * 3


def test_jobs_are_counted_by_state_and_failure(
    client: FlaskClient, site: Site, known_clip: Path, store: Store
) -> None:
    waiting, failing = (upload(client, known_clip)["id"] for _ in range(2))
    fail_next(store, failing, BadFile("It is broken."))
    with store.write() as session:
        session.get_one(Job, waiting).created_ms -= 90_000
    assert told(client, 'reelnotes_jobs{state="queued"}') == 1
    assert told(client, 'reelnotes_jobs{state="failed"}') == 1
    assert told(client, 'reelnotes_jobs_failed{kind="bad-file"}') == 1
    assert told(client, 'reelnotes_jobs_failed{kind="worker-lost"}') == 0
    assert told(client, 'reelnotes_queue_jobs{commentator="builtin"}') == 1
    assert told(client, 'reelnotes_queue_windows{commentator="builtin"}') > 0
    assert told(client, 'reelnotes_queue_hints{commentator="builtin"}') >= 2
    assert 90 <= told(client, "reelnotes_queue_oldest_job_age_seconds") < 150
    assert told(client, 'reelnotes_workers{commentator="builtin"}') == 0


def test_a_job_that_was_begun_has_no_age_in_the_queue(
    client: FlaskClient, known_clip: Path, store: Store
) -> None:
    job_id = upload(client, known_clip)["id"]
    with store.write() as session:
        job = session.get_one(Job, job_id)
        job.created_ms -= 90_000
        job.started_ms = job.created_ms
    assert told(client, "reelnotes_queue_oldest_job_age_seconds") == 0


def test_what_is_away_is_said_to_be(build_app: BuildApp) -> None:
    without_broker = build_app(redis_url="redis://:hidden@127.0.0.1:1/0").test_client()
    assert told(without_broker, "reelnotes_broker_up") == 0
    assert told(without_broker, "reelnotes_store_up") == 1
    away = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"
    without_store = build_app(database_url=away).test_client()
    assert told(without_store, "reelnotes_store_up") == 0
    assert told(without_store, "reelnotes_broker_up") == 1
    assert "reelnotes_jobs{" not in without_store.get("/metrics").text


def test_what_a_stranger_sends_is_no_label(client: FlaskClient) -> None:
    client.open("/nowhere/hostile-path", method="HOSTILE-METHOD")
    text = client.get("/metrics").text
    assert "hostile" not in text.lower()
    assert 'method="other",route="none"' in text


def test_openmetrics_is_told_to_who_asks_for_it(client: FlaskClient) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = client.get("/metrics", headers=accept)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.count("# EOF") == 1
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/aaaaaaaaaaaaaaaa"])
def test_requests_are_counted_by_their_rule(client: FlaskClient, path: str) -> None:
    rule = "/api/jobs" if path == "/api/jobs" else "/api/jobs/<id:job_id>"
    labels = {"route": rule, "method": "GET"}
    name = "reelnotes_http_request_duration_seconds_count"
    before = REGISTRY.get_sample_value(name, labels) or 0
    client.get(path)
    assert REGISTRY.get_sample_value(name, labels) == before + 1
