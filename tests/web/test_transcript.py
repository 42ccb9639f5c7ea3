"""A transcript over HTTP: what it leaves to do when it is removed, and what exports say of it."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.hints import waiting_hints
from models.tables import Utterance
from tests.speech.clips import write_tones
from tests.web.conftest import BuildApp, site_of
from tests.web.requests import upload


@pytest.fixture
def app(build_app: BuildApp) -> Flask:
    return build_app(transcribe_url="http://127.0.0.1:9/v1", transcribe_model="any")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("sound") / "tones.mp4", 6, [(1.0, 3.0, 440)])


@pytest.fixture
def job(client: FlaskClient, sound: Path) -> dict[str, Any]:
    """Return a job of which a transcript comes first."""
    return upload(client, sound, transcript="1")


def test_the_windows_are_hinted_when_the_transcript_before_them_is_removed(
    app: Flask, client: FlaskClient, job: dict[str, Any]
) -> None:
    before = waiting_hints(site_of(app).celery, "builtin")
    assert client.delete(f"/api/jobs/{job['id']}/transcript").status_code == 204
    assert waiting_hints(site_of(app).celery, "builtin") > before


def test_a_job_that_was_cancelled_at_its_transcript_goes_on_without_it(
    app: Flask, client: FlaskClient, job: dict[str, Any]
) -> None:
    assert client.post(f"/api/jobs/{job['id']}/cancel").status_code == 200
    assert client.delete(f"/api/jobs/{job['id']}/transcript").status_code == 204
    before = waiting_hints(site_of(app).celery, "builtin")
    assert client.post(f"/api/jobs/{job['id']}/retry").get_json()["state"] == "queued"
    assert waiting_hints(site_of(app).celery, "builtin") > before


def test_an_export_is_another_one_when_more_was_heard(
    app: Flask, client: FlaskClient, job: dict[str, Any]
) -> None:
    address = job["links"]["exports"]["json"]
    kept = {"If-None-Match": client.get(address).headers["ETag"]}
    assert client.get(address, headers=kept).status_code == 304
    with site_of(app).store.write() as session:
        session.add(
            Utterance(
                job_id=job["id"],
                piece=0,
                number=0,
                start_ms=0,
                end_ms=900,
                text="Hello.",
                language="en",
            )
        )
    assert client.get(address, headers=kept).status_code == 200
