"""Other sites' pages, other names for this machine, hostile words."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from models.errors import BadFile
from models.tables import JobState
from tests.web.commenting import comment_windows, fail_next
from tests.web.conftest import BuildApp
from tests.web.requests import upload
from tests.web.test_jobs_api import state_of
from web.site import Site

STATIC = Path(__file__).parents[2] / "web" / "static"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"])
def test_loopback_answers_to_its_own_names(client: FlaskClient, host: str) -> None:
    assert client.get("/api/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8000", "10.0.0.5", "", "["]
)
def test_loopback_without_a_password_answers_to_no_other_name(
    client: FlaskClient, host: str
) -> None:
    answer = client.get("/api/jobs", headers={"Host": host})
    assert answer.status_code in (400, 403)
    assert answer.get_json()["error"]["kind"] in ("forbidden", "invalid")


def test_with_a_password_any_name_is_answered(build_app: BuildApp) -> None:
    client = build_app(password="x", web_host="0.0.0.0").test_client()
    headers = {"Host": "videos.example", "Authorization": "Bearer x"}
    assert client.get("/api/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "Basic eDp5"},
    ],
)
def test_another_sites_page_changes_nothing(
    client: FlaskClient, site: Site, known_clip: Path, headers: dict[str, str]
) -> None:
    job_id = upload(client, known_clip)["id"]
    for method, path in [
        ("POST", f"/api/jobs/{job_id}/cancel"),
        ("PATCH", f"/api/jobs/{job_id}"),
        ("DELETE", f"/api/jobs/{job_id}"),
        ("POST", "/api/jobs?filename=x"),
        ("POST", "/sign-out"),
    ]:
        answer = client.open(path, method=method, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]["kind"]) == (403, "forbidden")
    assert state_of(site, job_id) == JobState.QUEUED


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer of anything"},
        {},
    ],
)
def test_our_own_pages_and_programs_may(
    client: FlaskClient, known_clip: Path, headers: dict[str, str]
) -> None:
    job_id = upload(client, known_clip)["id"]
    assert client.post(f"/api/jobs/{job_id}/cancel", headers=headers).status_code == 200


def test_pages_may_load_nothing_from_elsewhere(client: FlaskClient) -> None:
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "sandbox" in client.get("/api/jobs").headers["Content-Security-Policy"]


def test_hostile_words_are_only_words_on_a_page(
    client: FlaskClient, site: Site, known_clip: Path
) -> None:
    evil = "\"><img src=x onerror=alert(1)>'{{ 7*7 }}.mp4"
    job = upload(client, known_clip, filename=evil)
    comment_windows(site.store, site.media, job["id"], 1, evil)
    fail_next(site.store, job["id"], BadFile(evil))
    page = client.get(job["links"]["page"]).text
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "49" not in page.split("<title>")[1].split("</title>")[0]


@pytest.mark.parametrize("path", ["/", "/find", "/activity", "/jobs/{job}"])
def test_the_first_view_is_small(client: FlaskClient, clip: Path, path: str) -> None:
    """Scripts with all that they import at once, their words, and styles; ours and others'."""
    job = upload(client, clip)
    page = client.get(path.format(job=job["id"])).text
    wanted = set(re.findall(r"/static/([\w./-]+\.(?:js|css))", page))
    for name in wanted:
        wanted = wanted | imported(name)
    assert len(wanted) > 5
    words = len(client.get("/words/en.js").data)
    assert words > 5000
    assert words + sum((STATIC / name).stat().st_size for name in wanted) < 150_000


def imported(name: str) -> set[str]:
    found = set(re.findall(r'^import .*?from "\./([\w-]+\.js)"', (STATIC / name).read_text(), re.M))
    return found.union(*map(imported, found))
