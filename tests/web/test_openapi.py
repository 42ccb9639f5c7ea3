"""The OpenAPI document is valid, complete, and shown to people."""

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from web.contract import OPERATIONS

METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}


def fetch(client: FlaskClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/api/openapi.json").get_json()
    return document


def test_the_document_is_valid(client: FlaskClient) -> None:
    document = fetch(client)
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_it_names_every_route_and_method(app: Flask, client: FlaskClient) -> None:
    described = {
        (path, method.upper())
        for path, entry in fetch(client)["paths"].items()
        for method in entry.keys() & METHODS
    }
    there = set()
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/api/", "/media/", "/metrics")):
            automatic = {"HEAD", "OPTIONS"} if "GET" in (rule.methods or ()) else {"OPTIONS"}
            if rule.endpoint == "tus.options":
                automatic = set()
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            there |= {(path, method) for method in (rule.methods or set()) - automatic}
    assert described == there


def test_the_contract_holds_nothing_else(app: Flask) -> None:
    there = {
        f"{rule.endpoint} {method}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    assert set(OPERATIONS) <= there


def test_its_security_names_the_scope(client: FlaskClient) -> None:
    paths = fetch(client)["paths"]
    assert paths["/api/jobs"]["post"]["security"][0] == {"token": ["submit"]}
    assert paths["/api/jobs/{job_id}"]["delete"]["security"][0] == {"token": ["manage"]}
    assert paths["/api/health"]["get"]["security"] == []


def test_the_page_shows_every_operation_without_a_script(client: FlaskClient) -> None:
    answer = client.get("/api")
    for entry in fetch(client)["paths"].values():
        for about in entry.values():
            assert f'id="{about["operationId"]}"' in answer.text
            assert re.fullmatch(r"[A-Z]\w*( \S+){2,}\.", about["summary"]), about["operationId"]
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
