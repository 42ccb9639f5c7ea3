"""A summary over HTTP: asked for with the job or afterwards, told, exported, removed."""

import io
import zipfile
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.story.test_steps import Teller, run
from tests.web.commenting import comment_windows
from tests.web.requests import upload
from web.exports import CHAPTERS, WRITERS
from web.site import Site
from worker.keeper import Keeper
from worker.site import Site as WorkerSite


@pytest.fixture
def worker(site: Site) -> WorkerSite:
    keeper = Keeper(site.store, 30_000, 120)
    return WorkerSite(site.store, site.media, Teller(), keeper, 30_000, 120)


def test_a_job_is_done_when_the_summary_it_was_asked_for_is(
    client: FlaskClient, site: Site, worker: WorkerSite, clip: Path
) -> None:
    job = upload(client, clip, summary="1")
    assert job["parameters"]["summary"] == 1
    assert [(a["kind"], a["state"]) for a in job["additions"]] == [("summary", "waiting")]
    comment_windows(site.store, site.media, job["id"], job["windows_total"])
    assert client.get(job["links"]["self"]).get_json()["state"] == "running"
    told = client.get(job["links"]["summary"]).get_json()
    assert (told["state"], told["summary"]) == ("making", None)
    run(worker, job["id"])
    shape = client.get(job["links"]["self"]).get_json()
    assert (shape["state"], shape["windows_done"]) == ("done", job["windows_total"])
    told = client.get(job["links"]["summary"]).get_json()
    assert (told["state"], told["outdated"], told["passages"]) == ("ready", False, 1)
    assert told["effort"]["tokens_in"] == 100
    assert told["summary"]["title"] == "A title"
    (chapter,) = told["summary"]["chapters"]
    assert (chapter["start_ms"], chapter["end_ms"]) == (0, job["video"]["duration_ms"])
    export = client.get(job["links"]["exports"]["json"]).get_json(force=True)
    assert export["summary"] == told["summary"]
    assert client.get(shape["links"]["exports"]["chapterlist"]).text == "0:00 A title\n"


def test_chapters_are_offered_and_exported_as_long_as_there_is_a_summary(
    client: FlaskClient, site: Site, worker: WorkerSite, clip: Path
) -> None:
    job = upload(client, clip)
    comment_windows(site.store, site.media, job["id"], job["windows_total"])
    of_chapters = {name for name, writer in WRITERS.items() if writer.tells == CHAPTERS}
    address, tags = f"/api/jobs/{job['id']}/export", set()

    def offered() -> set[str]:
        tags.add(client.get(f"{address}.json").headers["ETag"])
        shape = client.get(job["links"]["self"]).get_json()
        return of_chapters & set(shape["links"]["exports"])

    def answers() -> set[int]:
        return {client.get(f"{address}.{name}").status_code for name in of_chapters}

    assert (offered(), answers()) == (set(), {404})
    refusal = client.get(f"{address}.chapters").get_json()["error"]
    assert (refusal["kind"], "summary" in refusal["message"]) == ("not-found", True)
    client.post(job["links"]["summary"])
    run(worker, job["id"])
    assert (offered(), answers()) == (of_chapters, {200})
    client.delete(job["links"]["summary"])
    assert (offered(), answers()) == (set(), {404})
    assert (
        len(tags) == 3
    )  # who kept an export without, or with, a summary learns that it is another
    wish = {"format": "chapters", "id": job["id"]}
    with zipfile.ZipFile(io.BytesIO(client.post("/api/jobs/export", data=wish).data)) as archive:
        assert "summary" in archive.read("missing.txt").decode()


def test_a_summary_is_asked_for_afterwards_and_removed(
    client: FlaskClient, site: Site, worker: WorkerSite, clip: Path
) -> None:
    job = upload(client, clip)
    address = job["links"]["summary"]
    assert client.get(address).get_json()["state"] == "none"
    assert client.delete(address).status_code == 404
    comment_windows(site.store, site.media, job["id"], job["windows_total"])
    asked = client.post(address)
    assert (asked.status_code, asked.get_json()["state"]) == (202, "making")
    assert client.post(f"/api/jobs/{job['id']}/cancel").get_json()["state"] == "done"
    assert client.get(address).get_json()["state"] == "none"
    client.post(address)
    run(worker, job["id"])
    assert client.get(address).get_json()["state"] == "ready"
    assert (
        client.put(
            f"/api/jobs/{job['id']}/segments/0/text", json={"text": "A cat.", "revision": 0}
        ).status_code
        == 200
    )
    assert client.get(address).get_json()["outdated"]
    client.post(address)
    run(worker, job["id"])
    assert not client.get(address).get_json()["outdated"]
    undone = client.put(
        f"/api/jobs/{job['id']}/segments/0/text", json={"text": None, "revision": 1}
    ).get_json()
    assert (undone["revision"], undone["corrected_ms"]) == (2, None)
    assert client.get(address).get_json()["outdated"]  # it tells the words that were undone
    assert client.delete(address).status_code == 204
    assert client.get(address).get_json()["summary"] is None
    assert client.get(job["links"]["self"]).get_json()["additions"] == []


def test_what_is_no_switch_is_refused(client: FlaskClient, clip: Path) -> None:
    answer = client.post("/api/jobs?filename=x.mp4&summary=2", data=clip.read_bytes())
    assert answer.status_code == 400
    assert "Summary must be a whole number from 0 to 1" in answer.get_json()["error"]["message"]
