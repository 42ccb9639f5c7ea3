"""One person can't take all of the server, and doesn't take from others by trying."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from models import tokens
from tests.web.conftest import BuildApp, site_of
from web.errors import TooMany
from web.limits import MOST_REMEMBERED, MOST_UPLOADS, Rate, UnderWay, network_of


def client_with_tokens(
    build_app: BuildApp, **settings: int
) -> tuple[FlaskClient, list[dict[str, str]]]:
    app = build_app(password="long enough", **settings)
    with site_of(app).store.write() as session:
        secrets = [tokens.add_token(session, name) for name in ("one", "other")]
    return app.test_client(), [{"Authorization": f"Bearer {secret}"} for secret in secrets]


def test_requests_are_counted_for_each_person(build_app: BuildApp) -> None:
    client, (one, other) = client_with_tokens(build_app, requests_per_minute=5)
    statuses = [client.get("/api/jobs", headers=one).status_code for _ in range(7)]
    assert statuses[:5] == [200] * 5
    assert statuses[6] == 429
    refused = client.get("/api/jobs", headers=one)
    assert refused.get_json()["error"]["kind"] == "too-many"
    assert 1 <= int(refused.headers["Retry-After"]) <= 12
    assert client.get("/api/jobs", headers=other).status_code == 200


def test_uploads_are_counted_for_each_person(build_app: BuildApp) -> None:
    client, (one, other) = client_with_tokens(build_app, uploads_per_hour=2)
    statuses = [
        client.post("/api/jobs?filename=x", data=b"no video", headers=who).status_code
        for who in (one, one, one, other)
    ]
    assert statuses == [422, 422, 429, 422]


def test_without_a_password_nobody_is_counted(build_app: BuildApp) -> None:
    client = build_app(requests_per_minute=1, uploads_per_hour=1).test_client()
    assert [client.get("/api/jobs").status_code for _ in range(3)] == [200] * 3


def test_uploads_at_once_are_counted_while_they_last() -> None:
    under_way = UnderWay(2)
    with under_way.one("a"), under_way.one("a"):
        with under_way.one("b"):
            pass
        with pytest.raises(TooMany), under_way.one("a"):
            pass
    with under_way.one("a"):
        pass


def test_the_count_of_visitors_has_an_end() -> None:
    rate = Rate(1, 60)
    for number in range(MOST_REMEMBERED + 10):
        rate.take(str(number), "requests")
    assert len(rate._left) == MOST_REMEMBERED


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("unix:", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_households_addresses_count_as_one(address: str | None, network: str) -> None:
    assert network_of(address) == network


def test_an_upload_that_is_too_large_leaves_nothing(build_app: BuildApp, tmp_path: Path) -> None:
    client = build_app(max_upload_bytes=1000).test_client()
    answer = client.post("/api/jobs?filename=x", data=b"x" * 2000)
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (413, "too-large")
    assert [path for path in (tmp_path / "data" / "media").rglob("*") if path.is_file()] == []


def test_there_is_room_for_only_so_many_uploads(client: FlaskClient) -> None:
    places = client.application.extensions["reelnotes-limits"].places
    with ExitStack() as arriving:
        for _ in range(MOST_UPLOADS):
            arriving.enter_context(places.one())
        refused = client.post("/api/jobs?filename=x", data=b"no video")
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) == 10
    assert client.post("/api/jobs?filename=x", data=b"no video").status_code == 422
