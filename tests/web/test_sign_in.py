"""Who may come in."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import BuildApp
from web import limits

PASSWORD = "mäuse & käse"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def guarded(build_app: BuildApp) -> FlaskClient:
    return build_app(password=PASSWORD).test_client()


def enter(client: FlaskClient, password: str = PASSWORD, target: str = "") -> tuple[int, str]:
    answer = client.post("/sign-in", data={"password": password, "next": target})
    return answer.status_code, answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "path",
    ["/api/jobs", "/api/jobs/aaaaaaaaaaaaaaaa", "/api/nothing", "/media/videos/aaaaaaaaaaaaaaaa"],
)
def test_nothing_is_told_to_strangers(guarded: FlaskClient, path: str) -> None:
    answer = guarded.get(path)
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (401, "sign-in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_strangers_upload_is_refused(guarded: FlaskClient) -> None:
    assert guarded.post("/api/jobs?filename=x.mp4", data=b"x").status_code == 401


@pytest.mark.parametrize("path", ["/api/health", "/static/style.css", "/sign-in"])
def test_some_addresses_are_open(guarded: FlaskClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_a_person_signs_in_and_out(guarded: FlaskClient) -> None:
    sent_to = guarded.get("/jobs/aaaaaaaaaaaaaaaa?x=1", headers=PAGE)
    assert sent_to.status_code == 302
    assert sent_to.headers["Location"] == "/sign-in?next=/jobs/aaaaaaaaaaaaaaaa?x%3D1"
    assert 'value="/jobs/aaaaaaaaaaaaaaaa?x=1"' in guarded.get(sent_to.headers["Location"]).text
    assert enter(guarded, target="/jobs/x") == (303, "/jobs/x")
    assert guarded.get("/api/jobs").status_code == 200
    assert "Sign out" in guarded.get("/").text
    assert guarded.post("/sign-out").status_code == 303
    assert guarded.get("/api/jobs").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(guarded: FlaskClient) -> None:
    answer = guarded.post("/sign-in", data={"password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_wrong_password_is_told(guarded: FlaskClient) -> None:
    answer = guarded.post("/sign-in", data={"password": "mice"})
    assert answer.status_code == 401
    assert "This is not the password." in answer.text
    assert guarded.get("/api/jobs").status_code == 401


def test_guessing_is_slowed_down(guarded: FlaskClient) -> None:
    for _ in range(limits.MOST_FAILURES):
        assert enter(guarded, "guess")[0] == 401
    assert enter(guarded, "guess")[0] == 429
    assert enter(guarded)[0] == 429
    token = {"Authorization": f"Bearer {PASSWORD}".encode().decode("latin1")}
    assert guarded.get("/api/jobs", headers=token).status_code == 429


def test_programs_send_the_password_as_a_token(build_app: BuildApp) -> None:
    client = build_app(password="plain").test_client()
    right, wrong = ({"Authorization": f"Bearer {word}"} for word in ("plain", "plane"))
    assert client.get("/api/jobs", headers=right).status_code == 200
    assert client.get("/api/jobs", headers=wrong).status_code == 401
    assert client.get("/api/jobs").status_code == 401


def test_a_new_password_ends_every_session(build_app: BuildApp) -> None:
    before = build_app(password="old").test_client()
    enter(before, "old")
    cookie = before.get_cookie("reelnotes")
    assert cookie is not None
    same, other = build_app(password="old").test_client(), build_app(password="new").test_client()
    for client, status in ((same, 200), (other, 401)):
        client.set_cookie("reelnotes", cookie.value)
        assert client.get("/api/jobs").status_code == status


def test_the_key_is_for_the_owners_eyes(build_app: BuildApp, tmp_path: Path) -> None:
    build_app()
    key = tmp_path / "data" / "secret-key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    assert [path.name for path in key.parent.glob("secret-key*")] == ["secret-key"]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/\t/evil.example",
        "/a\r\nSet-Cookie: a=b",
        "//[",
    ],
)
def test_signing_in_leads_nowhere_else(guarded: FlaskClient, target: str) -> None:
    assert enter(guarded, target=target) == (303, "/")
