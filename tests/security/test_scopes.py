"""A token does what its scopes say, and nothing else, at every address."""

from typing import Any

import pytest
from flask import Flask

from models import tokens
from models.tokens import Scope
from tests.web.conftest import BuildApp, site_of
from web.contract import OPERATIONS

PASSWORD = "long enough"


@pytest.fixture
def guarded(build_app: BuildApp) -> Flask:
    return build_app(password=PASSWORD, requests_per_minute=10_000)


def token_of(app: Flask, name: str, *scopes: Scope) -> dict[str, str]:
    with site_of(app).store.write() as session:
        secret = tokens.add_token(session, name, scopes)
    return {"Authorization": f"Bearer {secret}"}


def requests(app: Flask) -> list[tuple[str, str, str]]:
    """Return endpoint, method and an address for each route that a token may ask for."""
    found = []
    for rule in app.url_map.iter_rules():
        values: dict[str, Any] = dict.fromkeys(rule.arguments, "a" * 16)
        values |= dict.fromkeys({"window", "number"} & rule.arguments, 0)
        with app.test_request_context():
            path = app.url_for(rule.endpoint, **values)
        methods = (rule.methods or set()) - {"OPTIONS"}
        found += [(rule.endpoint, method, path) for method in methods]
    return found


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_of_one_scope_gets_nowhere_else(guarded: Flask, scope: Scope) -> None:
    client = guarded.test_client()
    headers = token_of(guarded, "narrow", scope)
    for endpoint, method, path in requests(guarded):
        about = OPERATIONS.get(f"{endpoint} {method}") or OPERATIONS.get(f"{endpoint} GET")
        if about is None or endpoint.startswith(("static", "sign_in")):
            continue
        answer = client.open(path, method=method, headers=headers)
        allowed = about.scope in (None, scope)
        assert (answer.status_code == 403) != allowed, (endpoint, method, answer.text)


def test_pages_are_for_who_may_read(guarded: Flask) -> None:
    client = guarded.test_client()
    reader, sender = (
        token_of(guarded, "reader", Scope.READ),
        token_of(guarded, "sender", Scope.SUBMIT),
    )
    for page in ("/", "/activity", "/find", "/api"):
        assert client.get(page, headers=reader).status_code == 200
        assert client.get(page, headers=sender).status_code == 403


def test_a_refusal_names_the_scope(guarded: Flask) -> None:
    headers = token_of(guarded, "reader", Scope.READ)
    answer = guarded.test_client().delete(f"/api/jobs/{'a' * 16}", headers=headers)
    error = answer.get_json()["error"]
    assert error["kind"] == "forbidden"
    assert "--scope manage" in error["message"]


def test_a_token_without_a_word_on_scopes_may_do_everything(guarded: Flask) -> None:
    client = guarded.test_client()
    with site_of(guarded).store.write() as session:
        secret = tokens.add_token(session, "old")
    for endpoint, method, path in requests(guarded):
        if endpoint in ("sign_in.leave", "sign_in.enter"):
            continue
        answer = client.open(path, method=method, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code not in (401, 403), (endpoint, method)
