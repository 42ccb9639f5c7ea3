"""Corrections: what a person writes is shown and exported; what was said stays beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from models.segments import last_said
from models.tokens import add_token
from tests.web.commenting import comment_windows
from tests.web.conftest import BuildApp
from tests.web.requests import upload
from tests.web.test_jobs_api import SIX_WINDOWS
from web.filenames import clean_filename
from web.site import Site

SAID = "At least 1 person and at least 3 bottles; the picture is still."


@pytest.fixture
def job(client: FlaskClient, site: Site, known_clip: Path) -> dict[str, Any]:
    """Return a done job of six windows: said, said, unchanged, empty, said, said."""
    job = upload(client, known_clip, **SIX_WINDOWS)
    comment_windows(site.store, site.media, job["id"], 6)
    return job


def put(client: FlaskClient, job: dict[str, Any], window: int, **wish: object) -> Any:
    return client.put(f"/api/jobs/{job['id']}/segments/{window}/text", json=wish)


def segments(client: FlaskClient, job: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get(f"/api/jobs/{job['id']}/segments").get_json()[
        "segments"
    ]
    return rows


def test_a_correction_is_shown_and_the_original_stays(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    answer = put(client, job, 0, text="  Three bottles.\x00 ", revision=0, by="Ada")
    assert answer.status_code == 200
    row = segments(client, job)[0]
    assert answer.get_json() == row
    assert (row["text"], row["original_text"], row["kind"]) == ("Three bottles.", SAID, "said")
    assert (row["revision"], row["corrected_by"]) == (1, "Ada")
    assert row["corrected_ms"] > row["created_ms"] - 1
    assert client.get(f"/api/jobs/{job['id']}/segments/0").get_json() == row


def test_characters_newer_than_this_python_are_kept(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    answer = put(
        client, job, 0, text="He is \U0001fae8.\ufdd0\U0001ffff", revision=0, by="\U0001fae8"
    )
    row = answer.get_json()
    assert (row["text"], row["corrected_by"]) == ("He is \U0001fae8.", "\U0001fae8")
    assert clean_filename("\U0001fae8\ufffe.mp4") == "\U0001fae8.mp4"


def test_every_export_takes_the_correction(client: FlaskClient, job: dict[str, Any]) -> None:
    put(client, job, 0, text="Three <b>bottles</b>.", revision=0)
    put(client, job, 2, text="A hand appears.", revision=0)
    put(client, job, 1, text="", revision=0)
    for name, url in job["links"]["exports"].items():
        written = client.get(url).text.replace("\\.", ".")  # as Markdown escapes them
        assert "bottles" in written, name
        assert "A hand appears." in written, name
        assert "At least 1 person has come" not in written or name == "json", name
    rows = json.loads(client.get(job["links"]["exports"]["json"]).text)["segments"]
    assert [rows[i]["kind"] for i in range(3)] == ["said", "empty", "said"]
    assert [rows[i]["original_kind"] for i in range(3)] == ["said", "said", "unchanged"]
    assert rows[1]["reason"] == "The comment was taken away by a person."
    assert rows[0]["original_text"] == SAID


def test_undo_brings_the_original_back(client: FlaskClient, job: dict[str, Any]) -> None:
    put(client, job, 3, text="A black picture.", revision=0, by="Ada")
    row = put(client, job, 3, text=None, revision=1).get_json()
    assert (row["kind"], row["text"], row["reason"]) == ("empty", "", "The picture is black.")
    assert (row["revision"], row["corrected_by"], row["corrected_ms"]) == (2, None, None)


def test_the_second_of_two_is_told_what_the_first_wrote(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    put(client, job, 0, text="The first.", revision=0, by="Ada")
    answer = put(client, job, 0, text="The second.", revision=0, by="Bob")
    assert answer.status_code == 409
    assert answer.get_json()["error"]["kind"] == "conflict"
    assert "(Ada)" in answer.get_json()["error"]["message"]
    assert answer.get_json()["segment"]["text"] == "The first."
    assert segments(client, job)[0]["text"] == "The first."
    again = put(client, job, 0, text="The second.", revision=1, by="Bob")
    assert (again.status_code, segments(client, job)[0]["text"]) == (200, "The second.")


def test_the_same_sent_again_is_answered_as_the_first_time(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    first, again = (put(client, job, 0, text="Mine.", revision=0, by="Ada") for _ in range(2))
    assert (again.status_code, again.data) == (200, first.data)
    assert put(client, job, 0, text="Mine.", revision=0, by="Bob").status_code == 409


def test_a_commentator_is_reminded_of_its_own_words(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    put(client, job, 0, text="Three bottles.", revision=0)
    with site.store.read() as session:
        row = last_said(session, job["id"], 0, 1)
    assert row is not None
    assert row.text == SAID


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"text": "x"},
        {"text": 3, "revision": 0},
        {"text": "x", "revision": "0"},
        {"text": "x", "revision": True},
        {"text": "x" * 5001, "revision": 0},
        {"text": "x", "revision": 0, "by": 1},
        {"text": "x", "revision": 0, "more": 1},
        {"text": "x", "revision": 2**40},
    ],
)
def test_what_is_no_correction_is_refused(
    client: FlaskClient, job: dict[str, Any], wish: dict[str, object]
) -> None:
    answer = put(client, job, 0, **wish)
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (400, "invalid")
    assert segments(client, job)[0]["revision"] == 0


@pytest.mark.parametrize("window", [6, 2**31, 10**30])
def test_a_window_without_a_segment_is_not_found(
    client: FlaskClient, job: dict[str, Any], window: int
) -> None:
    assert put(client, job, window, text="x", revision=0).status_code == 404
    assert client.get(f"/api/jobs/{job['id']}/segments/{window}").status_code == 404


def test_a_program_is_called_by_its_token(build_app: BuildApp, known_clip: Path) -> None:
    app = build_app(password="long enough")
    site: Site = app.extensions["reelnotes"]
    with site.store.write() as session:
        secret = add_token(session, "editor-tool")
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    job = upload(client, known_clip, **SIX_WINDOWS)
    comment_windows(site.store, site.media, job["id"], 6)
    row = put(client, job, 0, text="Three bottles.", revision=0, by="Ada").get_json()
    assert row["corrected_by"] == "editor-tool"
