"""Programs come in with tokens of their own; people's sessions end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from models import tokens
from models.errors import Conflict, InvalidRequest, NotFound
from models.store import Store
from models.tables import Token
from tests.web.conftest import BuildApp
from tests.web.server import running_server
from web.limits import MOST_FAILURES
from web.site import Site

ROOT = Path(__file__).parents[2]
PASSWORD = "mäuse & käse"


@pytest.fixture
def guarded(build_app: BuildApp) -> FlaskClient:
    return build_app(password=PASSWORD).test_client()


def add(store: Store, name: str) -> str:
    with store.write() as session:
        return tokens.add_token(session, name)


def status(client: FlaskClient, secret: str) -> int:
    return client.get("/api/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code


def test_a_token_lets_its_program_in_until_it_is_revoked(
    guarded: FlaskClient, store: Store
) -> None:
    first, second = add(store, "nightly"), add(store, "archive")
    assert (status(guarded, first), status(guarded, second)) == (200, 200)
    with store.write() as session:
        tokens.revoke_token(session, "nightly")
    assert (status(guarded, first), status(guarded, second)) == (401, 200)


def test_only_digests_are_stored(store: Store) -> None:
    secret = add(store, "nightly")
    assert len(secret) > 40
    with store.read() as session:
        row = session.scalars(select(Token)).one()
    assert secret not in repr([row.digest, row.name])
    assert len(row.digest) == 64


def test_the_last_use_is_noted(guarded: FlaskClient, store: Store) -> None:
    secret = add(store, "nightly")
    with store.read() as session:
        assert [token.used_ms for token in tokens.list_tokens(session)] == [None]
    status(guarded, secret)
    with store.read() as session:
        (token,) = tokens.list_tokens(session)
    assert token.used_ms is not None
    assert token.used_ms >= token.created_ms


@pytest.mark.parametrize("name", ["", "-x", "two words", "a\nb", "ü", "x" * 65, "../x", "=1+1"])
def test_names_are_plain_words(store: Store, name: str) -> None:
    with pytest.raises(InvalidRequest):
        add(store, name)


def test_a_name_is_taken_once_and_revoked_once(store: Store) -> None:
    add(store, "nightly")
    with pytest.raises(Conflict):
        add(store, "nightly")
    with store.write() as session:
        tokens.revoke_token(session, "nightly")
    with pytest.raises(NotFound), store.write() as session:
        tokens.revoke_token(session, "nightly")


def test_a_guesser_locks_no_program_out(guarded: FlaskClient, store: Store) -> None:
    secret = add(store, "nightly")
    for _ in range(MOST_FAILURES):
        assert status(guarded, "rn_guess") == 401
    answer = guarded.get("/api/jobs", headers={"Authorization": "Bearer rn_guess"})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert status(guarded, secret) == 200


def test_a_password_of_any_letters_is_taken_from_programs(guarded: FlaskClient) -> None:
    sent = f"Bearer {PASSWORD}".encode().decode("latin-1")
    assert guarded.get("/api/jobs", headers={"Authorization": sent}).status_code == 200


def test_signing_out_ends_every_copy_of_the_cookie(guarded: FlaskClient) -> None:
    guarded.post("/sign-in", data={"password": PASSWORD})
    cookie = guarded.get_cookie("reelnotes")
    assert cookie is not None
    guarded.post("/sign-out")
    guarded.set_cookie("reelnotes", cookie.value)
    assert guarded.get("/api/jobs").status_code == 401


def test_signing_in_takes_no_session_from_the_browser(guarded: FlaskClient) -> None:
    values = []
    for _ in range(2):
        guarded.post("/sign-in", data={"password": PASSWORD})
        cookie = guarded.get_cookie("reelnotes")
        assert cookie is not None
        values.append(cookie.value)
    assert values[0] != values[1]


@pytest.mark.parametrize("column", ["until_ms", "used_ms"])
def test_a_session_ends_by_itself(guarded: FlaskClient, store: Store, column: str) -> None:
    guarded.post("/sign-in", data={"password": PASSWORD})
    assert guarded.get("/api/jobs").status_code == 200
    with store.write() as session:
        session.execute(update(Token).values({column: 1}))
    assert guarded.get("/api/jobs").status_code == 401


def test_behind_a_tls_proxy_the_cookie_is_for_tls_alone(build_app: BuildApp) -> None:
    client = build_app(password=PASSWORD, proxies=1).test_client()
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    answer = client.post("/sign-in", data={"password": PASSWORD}, headers=headers)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-reelnotes=")
    assert "; Secure" in cookie
    assert "; Path=/" in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_forwarded_headers_are_believed_only_of_announced_proxies(build_app: BuildApp) -> None:
    for proxies, last in ((0, 429), (1, 401)):
        client = build_app(password=PASSWORD, proxies=proxies).test_client()
        for number in range(MOST_FAILURES + 1):
            sender = {"X-Forwarded-For": f"203.0.113.{number}"}
            answer = client.post("/sign-in", data={"password": "guess"}, headers=sender)
        assert answer.status_code == last


def test_a_person_gets_tokens_from_the_command_line(site: Site, database_url: str) -> None:
    def token(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "DATABASE_URL": database_url, "PASSWORD": "x"}
        command = [sys.executable, "-m", "cli", "token", *arguments]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)

    made = token("add", "nightly")
    assert made.stdout.startswith("rn_")
    assert made.stderr == ""
    listed = token("list").stdout
    assert listed.startswith("nightly  made 20")
    assert "used never" in listed
    assert listed.endswith("read,submit,manage,admin\n")
    assert token("add", "watcher", "--scope", "read").returncode == 0
    assert token("list").stdout.splitlines()[1].endswith("  read")
    assert token("add", "x", "--scope", "everything").returncode == 2
    assert token("revoke", "watcher").returncode == 0
    assert made.stdout.strip() not in listed
    again = token("add", "nightly")
    assert (again.returncode, again.stdout) == (1, "")
    assert "revoke it first" in again.stderr
    assert token("revoke", "nightly").returncode == 0
    assert token("list").stdout == ""
    assert token("revoke", "nightly").returncode == 1


def test_a_stream_ends_when_its_token_is_revoked(
    tmp_path: Path, shared_broker_url: str, clip: Path
) -> None:
    import httpx

    from client import Client

    env = {"PASSWORD": "long enough", "REDIS_URL": shared_broker_url}
    with running_server(tmp_path, env) as server:
        secret = add(server.store, "watcher")
        with Client(server.url, secret) as client:
            job = client.submit(clip, {})
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.stream("GET", server.url + job["links"]["events"], headers=headers) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            with server.store.write() as session:
                tokens.revoke_token(session, "watcher")
            assert list(lines) is not None  # it comes to an end: the job is still queued
