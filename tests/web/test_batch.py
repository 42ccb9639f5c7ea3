"""Many jobs at once: what became of each, failures in groups, one ZIP."""

import io
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from flask.testing import FlaskClient

from models.errors import BadFile, TimedOut
from models.ids import new_id
from tests.web.commenting import comment_windows, fail_next
from tests.web.requests import upload
from tests.web.test_jobs_api import SIX_WINDOWS
from web.archive import stream_zip
from web.site import Site


def batch(client: FlaskClient, action: str, **which: object) -> dict[str, Any]:
    answer = client.post("/api/jobs/batch", json={"action": action, **which})
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.get_json()
    return shape


def states(client: FlaskClient) -> list[str]:
    return [job["state"] for job in client.get("/api/jobs").get_json()["jobs"]][::-1]


@pytest.fixture
def ids(client: FlaskClient, known_clip: Path) -> list[str]:
    """Return the ids of three queued jobs of one video, all called alike."""
    return [upload(client, known_clip, **SIX_WINDOWS)["id"] for _ in range(3)]


def test_each_job_of_a_batch_has_its_own_outcome(client: FlaskClient, ids: list[str]) -> None:
    client.post(f"/api/jobs/{ids[1]}/cancel")
    gone = new_id()
    answer = batch(client, "pause", ids=[*ids, gone, "nonsense"])
    assert (answer["done"], answer["refused"], answer["left"]) == (2, 3, 0)
    assert [one["id"] for one in answer["outcomes"]] == [*ids, gone, "nonsense"]
    assert [one["state"] for one in answer["outcomes"]] == [
        "paused", "cancelled", "paused", None, None,
    ]  # fmt: skip
    errors = [one["error"] and one["error"]["kind"] for one in answer["outcomes"]]
    assert errors == [None, "conflict", None, "not-found", "not-found"]
    assert states(client) == ["paused", "cancelled", "paused"]
    assert batch(client, "resume", ids=ids)["done"] == 2
    assert batch(client, "cancel", ids=ids)["done"] == 2
    assert batch(client, "retry", ids=ids)["done"] == 3
    assert batch(client, "delete", ids=ids)["done"] == 3
    assert states(client) == []


def test_a_batch_of_deletions_takes_the_video_along(
    client: FlaskClient, site: Site, ids: list[str]
) -> None:
    batch(client, "delete", ids=ids)
    assert [path for path in site.media.root.rglob("*") if path.is_file()] == []


def test_failures_are_counted_by_kind_and_one_group_is_retried(
    client: FlaskClient, site: Site, ids: list[str]
) -> None:
    for job_id, failure in zip(ids, (TimedOut("a"), BadFile("b"), TimedOut("c")), strict=True):
        fail_next(site.store, job_id, failure)
    assert client.get("/api/jobs").get_json()["failures"] == {"timeout": 2, "bad-file": 1}
    answer = batch(client, "retry", failure="timeout")
    assert (answer["done"], answer["left"]) == (2, 0)
    assert states(client) == ["queued", "failed", "queued"]
    assert client.get("/api/jobs").get_json()["failures"] == {"bad-file": 1}


def test_ids_are_listed_by_state(client: FlaskClient, ids: list[str]) -> None:
    client.post(f"/api/jobs/{ids[0]}/pause")
    assert client.get("/api/jobs/ids").get_json()["ids"] == ids[::-1]
    assert client.get("/api/jobs/ids?state=paused").get_json()["ids"] == ids[:1]


def test_exports_come_as_one_zip_with_a_name_each(
    client: FlaskClient, site: Site, known_clip: Path, other_clip: Path
) -> None:
    names = ["a/../b.mp4", "B.mp4", "b.mov", "con.mp4", "“é”.mp4", "missing.mp4"]
    ids = [upload(client, known_clip, **{**SIX_WINDOWS, "filename": name})["id"] for name in names]
    for number, job_id in enumerate(ids):
        comment_windows(site.store, site.media, job_id, 6, f"Words of {number}.")
    form = {"format": "srt", "id": [*ids, new_id(), ids[0]]}
    answer = client.post("/api/jobs/export", data=form)
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["Content-Disposition"].endswith('.zip"')
    archive = ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    assert archive.namelist() == [
        "b.srt", "B (2).srt", "b (3).srt", "_con.srt", "“é”.srt", "missing.srt", "missing.txt",
    ]  # fmt: skip
    for number, name in enumerate(archive.namelist()[:-1]):
        assert f"Words of {number}." in archive.read(name).decode()
    assert b"may have been deleted" in archive.read("missing.txt")


def test_a_form_in_parts_may_name_as_many_jobs_as_any(client: FlaskClient, ids: list[str]) -> None:
    form = {"format": "srt", "id": [*ids, *(new_id() for _ in range(2000 - len(ids)))]}
    answer = client.post("/api/jobs/export", data=form, content_type="multipart/form-data")
    with ZipFile(io.BytesIO(answer.data)) as archive:
        assert len(archive.namelist()) == len(ids) + 1


def test_a_zip_is_sent_while_it_is_made() -> None:
    opened = []

    def entries() -> Any:
        for number in range(3):
            opened.append(number)
            yield f"{number}.bin", io.BytesIO(bytes(range(256)) * 4000)

    stream = stream_zip(entries())
    sent = next(stream)
    assert opened == [0]
    whole = sent + b"".join(stream)
    archive = ZipFile(io.BytesIO(whole))
    assert archive.testzip() is None
    assert [info.file_size for info in archive.infolist()] == [1_024_000] * 3


@pytest.mark.parametrize(
    "wish",
    [
        {}, [], {"action": "explode", "ids": ["a"]}, {"action": "retry"}, {"action": "retry", "ids": []},
        {"action": "retry", "ids": [1]}, {"action": "retry", "ids": "a"}, {"action": "retry", "failure": "x"},
        {"action": [], "ids": ["a"]}, {"action": "retry", "ids": ["a"] * 201}, {"action": "retry", "failure": []},
    ],
)  # fmt: skip
def test_what_is_no_batch_is_refused(client: FlaskClient, wish: object) -> None:
    answer = client.post("/api/jobs/batch", json=wish)
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (400, "invalid")


@pytest.mark.parametrize("form", [{}, {"format": "x", "id": "a"}, {"id": ["a"] * 2001}])
def test_what_is_no_export_is_refused(client: FlaskClient, form: dict[str, Any]) -> None:
    if len(form.get("id", "")) > 2000:
        form = {"id": [str(number) for number in range(2001)]}
    answer = client.post("/api/jobs/export", data=form)
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (400, "invalid")
