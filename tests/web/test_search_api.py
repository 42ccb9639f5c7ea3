"""The search over HTTP: hits that lead to their second, filters, and whatever people type."""

from pathlib import Path
from typing import Any, get_type_hints

import pytest
from flask.testing import FlaskClient

from tests.store.test_search import HOSTILE
from tests.web.commenting import comment_windows
from tests.web.requests import upload
from tests.web.test_jobs_api import SIX_WINDOWS
from web.shapes import FindShape, HitShape
from web.site import Site


@pytest.fixture
def job(client: FlaskClient, site: Site, known_clip: Path) -> dict[str, Any]:
    job = upload(client, known_clip, **{**SIX_WINDOWS, "filename": "<b>bars.mp4"})
    comment_windows(site.store, site.media, job["id"], 6)
    return job


def search(client: FlaskClient, **query: object) -> dict[str, Any]:
    answer = client.get("/api/search", query_string=query)
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.get_json()
    return shape


def test_a_hit_leads_to_its_second(client: FlaskClient, job: dict[str, Any]) -> None:
    found = search(client, q="someth")
    assert set(found) == set(get_type_hints(FindShape))
    (hit,) = found["hits"]
    assert set(hit) == set(get_type_hints(HitShape))
    assert hit["page"] == f"/jobs/{job['id']}#t=1"
    assert hit["filename"] == "<b>bars.mp4"
    assert [piece["text"] for piece in hit["excerpt"] if piece["hit"]] == ["something"]
    assert client.get(hit["still"]).status_code == 200


def test_hits_go_on_page_by_page(client: FlaskClient, job: dict[str, Any]) -> None:
    first = search(client, q="least", limit=2)
    assert (len(first["hits"]), first["next"]) == (2, 2)
    rest = search(client, q="least", limit=2, offset=2)
    assert rest["next"] is None
    assert first["total"] == rest["total"] == len(first["hits"]) + len(rest["hits"])


def test_filters(client: FlaskClient, job: dict[str, Any]) -> None:
    created = job["created_ms"]
    kept: tuple[dict[str, object], ...] = (
        {},
        {"state": "done"},
        {"commentator": "builtin"},
        {"from": created},
    )
    for query in kept:
        assert search(client, q="dog bottle person least", **query)["hits"] == []
        assert search(client, q="least", **query)["hits"], query
    out: tuple[dict[str, object], ...] = (
        {"state": "failed"},
        {"commentator": "minicpm"},
        {"until": created},
        {"profile": "sports"},
    )
    for query in out:
        assert search(client, q="least", **query)["hits"] == [], query


@pytest.mark.parametrize(
    "query",
    ["state=lost", "profile=x", "commentator=x", "from=x", "until=-1", "limit=0", "offset=9999", f"q={'a' * 401}"],
)  # fmt: skip
def test_a_search_that_cant_be_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/search?{query}")
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (400, "invalid")


def test_whatever_is_typed_has_a_proper_answer(client: FlaskClient, job: dict[str, Any]) -> None:
    for words in [*HOSTILE, "a" * 10_000, "\x00" * 10_000, '"' * 10_000]:
        answer = client.get("/api/search", query_string={"q": words.encode(errors="replace")})
        assert answer.status_code in (200, 400), words
