"""Lists are read page by page and hold what is asked for; who has an answer already is told so."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.commenting import comment_windows
from tests.web.requests import upload
from web.contract import OPERATIONS
from web.site import Site


@pytest.fixture
def jobs(client: FlaskClient, known_clip: Path) -> list[dict[str, Any]]:
    """Queue three jobs of one video, the oldest first."""
    return [
        upload(client, known_clip, filename=name)
        for name in ("E\u0301cole.mp4", "TWO 100%.mp4", "3.mp4")
    ]


def pages(client: FlaskClient, path: str, name: str, **query: str) -> list[list[Any]]:
    found, before = [], None
    while True:
        asked = {**query, **({"before": before} if before else {})}
        answer = client.get(path, query_string=asked)
        assert answer.status_code == 200, answer.text
        found.append(answer.get_json()[name])
        before = answer.get_json()["next"]
        if before is None:
            return found


def test_every_list_of_jobs_goes_on_where_it_ended(
    client: FlaskClient, jobs: list[dict[str, Any]]
) -> None:
    ids = [job["id"] for job in jobs[::-1]]
    for path, name in (("/api/jobs", "jobs"), (f"/api/jobs/{ids[0]}/runs", "runs")):
        found = pages(client, path, name, limit="2")
        assert [[job["id"] for job in page] for page in found] == [ids[:2], ids[2:]]
    assert pages(client, "/api/jobs/ids", "ids", limit="2") == [ids[:2], ids[2:]]


def test_a_list_goes_on_though_where_its_page_ended_is_deleted_meanwhile(
    client: FlaskClient, jobs: list[dict[str, Any]]
) -> None:
    for path, name in (("/api/jobs", "jobs"), ("/api/jobs/ids", "ids")):
        page = client.get(path, query_string={"limit": "1"}).get_json()
        newest = page[name][0] if name == "ids" else page[name][0]["id"]
        client.delete(f"/api/jobs/{newest}")
        rest = pages(client, path, name, limit="2", before=page["next"])
        assert len(rest[0]) == len(jobs) - 1
        jobs.pop()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"filename": "two"}, ["TWO 100%.mp4"]),
        ({"filename": "école"}, ["École.mp4"]),
        ({"filename": "e\u0301cole"}, ["École.mp4"]),
        ({"filename": "ÉCO"}, ["École.mp4"]),
        ({"filename": "0%"}, ["TWO 100%.mp4"]),
        ({"filename": "_"}, []),
        ({"commentator": "minicpm"}, []),
        ({"commentator": "builtin", "state": "queued"}, ["3.mp4", "TWO 100%.mp4", "École.mp4"]),
        ({"until": "1"}, []),
        ({"from": "1"}, ["3.mp4", "TWO 100%.mp4", "École.mp4"]),
    ],
)
def test_lists_of_jobs_hold_what_is_asked_for(
    client: FlaskClient, jobs: list[dict[str, Any]], query: dict[str, str], names: list[str]
) -> None:
    named = {job["id"]: job["filename"] for job in jobs}
    (found,) = pages(client, "/api/jobs", "jobs", **query)
    assert [job["filename"] for job in found] == names
    (ids,) = pages(client, "/api/jobs/ids", "ids", **query)
    assert [named[job_id] for job_id in ids] == names
    (runs,) = pages(client, f"/api/jobs/{jobs[0]['id']}/runs", "runs", **query)
    assert [run["filename"] for run in runs] == names


def test_segments_are_filtered_by_what_is_shown(
    client: FlaskClient, site: Site, jobs: list[dict[str, Any]]
) -> None:
    job = jobs[0]
    comment_windows(site.store, site.media, job["id"], 2)
    path = job["links"]["segments"]
    (first, _) = client.get(path).get_json()["segments"]
    wish = {"text": "", "revision": 0}
    assert client.put(f"{path}/{first['index']}/text", json=wish).status_code == 200
    for kind, indexes in (("said", [1]), ("empty", [0]), ("unchanged", [])):
        found = client.get(path, query_string={"kind": kind}).get_json()["segments"]
        assert [segment["index"] for segment in found] == indexes
    assert client.get(path, query_string={"kind": "x"}).status_code == 400


def test_uploads_are_read_page_by_page(client: FlaskClient) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    ids = [client.post("/api/uploads", headers=headers).headers["Location"] for _ in range(3)]
    found = pages(client, "/api/uploads", "uploads", limit="2")
    assert [len(page) for page in found] == [2, 1]
    assert {f"/api/uploads/{one['id']}" for page in found for one in page} == set(ids)


def test_what_has_not_changed_is_not_sent_again(
    client: FlaskClient, site: Site, jobs: list[dict[str, Any]]
) -> None:
    job = jobs[0]
    paths = ["/api/jobs", job["links"]["self"], job["links"]["segments"], "/api/presets"]
    paths += [job["links"]["exports"][name] for name in ("srt", "json")]
    tags = {}
    for path in paths:
        answer = client.get(path)
        tags[path] = answer.headers["ETag"]
        again = client.get(path, headers={"If-None-Match": tags[path]})
        assert (again.status_code, again.data) == (304, b""), path
        assert again.headers["ETag"] == tags[path]
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    comment_windows(site.store, site.media, job["id"], 1)
    for path in set(paths) - {"/api/presets"}:
        assert client.get(path, headers={"If-None-Match": tags[path]}).status_code == 200, path


def test_a_correction_changes_an_exports_tag(
    client: FlaskClient, site: Site, jobs: list[dict[str, Any]]
) -> None:
    job = jobs[0]
    comment_windows(site.store, site.media, job["id"], 1)
    path = job["links"]["exports"]["json"]
    before = client.get(path)
    wish = {"text": "A cat.", "revision": 0}
    client.put(f"{job['links']['segments']}/0/text", json=wish)
    after = client.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert "A cat." in json.dumps(after.get_json())


def test_every_answer_that_promises_a_tag_has_one(
    client: FlaskClient, jobs: list[dict[str, Any]]
) -> None:
    values = {"job_id": jobs[0]["id"]}
    for name, about in OPERATIONS.items():
        endpoint, method = name.split()
        if not about.tagged or method != "GET":
            continue
        rules = client.application.url_map.iter_rules(endpoint)
        if any(rule.arguments - {"job_id"} for rule in rules):
            continue
        with client.application.test_request_context():
            names = {
                a for r in client.application.url_map.iter_rules(endpoint) for a in r.arguments
            }
            path = client.application.url_for(endpoint, **{n: values[n] for n in names})
        query = {"left": jobs[0]["id"], "right": jobs[1]["id"], "q": "cat"}
        answer = client.get(
            path, query_string=query if "compare" in path or "search" in path else {}
        )
        assert answer.status_code == 200, (path, answer.text)
        assert "ETag" in answer.headers, path
