"""The API as an OpenAPI 3.1 document: made from the routes, their docstrings and `web/contract.py`."""

import inspect
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from models.tokens import Scope
from telemetry.registry import our_version
from web.contract import JSON, OPERATIONS, Operation, Parameter, Schema
from web.errors import TusStatus
from web.shapes import ErrorAnswer

_ALWAYS = (400, 401, 403, 429, 500, 503, 507)
"""Refusals that any request may meet."""

_CONVERTERS: dict[str, Schema] = {
    "id": {"type": "string", "pattern": "^[a-z2-7]{16}$"},
    "int": {"type": "integer", "minimum": 0},
    "path": {"type": "string", "minLength": 1},
    "default": {"type": "string", "minLength": 1},
}
_VARIABLE = re.compile(r"<(?:(\w+):)?(\w+)>")
_SCHEMAS = "#/components/schemas/{name}"
_INTRODUCTION = (
    "Times of day are milliseconds since 1970, UTC; times of a video are milliseconds since its first "
    "displayable picture. A server with a PASSWORD wants `Authorization: Bearer TOKEN`. New fields may "
    "come at any time: pass over what you don't know."
)
_SCOPES = {
    Scope.READ: "reads what is there",
    Scope.SUBMIT: "gives the server work",
    Scope.MANAGE: "changes and deletes what is there",
    Scope.ADMIN: "registers webhooks",
}


def write_document(app: Flask) -> dict[str, Any]:
    """Describe the application's API."""
    shapes = [shape for about in OPERATIONS.values() for shape in _shapes(about)] + [ErrorAnswer]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_SCHEMAS)
    schema_of = {repr(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    paths: dict[str, Any] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        path = _VARIABLE.sub(r"{\2}", rule.rule)
        for method, about in described(rule):
            view = app.view_functions[rule.endpoint]
            entry = _operation(rule, method, about, schema_of)
            entry["summary"], entry["description"] = _words(view)
            paths.setdefault(path, {})[method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {"title": "Reelnotes", "version": our_version(), "description": _INTRODUCTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of these scopes, or more: "
                    + "; ".join(f"`{scope}` {what}" for scope, what in _SCOPES.items())
                    + ".",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "reelnotes",
                    "description": "Of a person who has signed in.",
                },
            },
        },
    }


def described(rule: Rule) -> Iterator[tuple[str, Operation]]:
    """Yield the methods of a route that the contract knows."""
    for method in sorted(rule.methods or ()):
        about = OPERATIONS.get(f"{rule.endpoint} {method}")
        if about is not None:
            yield method, about


def _shapes(about: Operation) -> list[Any]:
    return [shape for shape in (about.answer, about.body) if shape is not None]


def _operation(
    rule: Rule, method: str, about: Operation, schema_of: dict[str, Schema]
) -> dict[str, Any]:
    takes = [
        *_path_parameters(rule, about),
        *(_parameter(it) for it in about.takes if it.place != "path"),
    ]
    if about.once:
        takes.append(_parameter(_IDEMPOTENCY_KEY))
    if about.tagged:
        takes.append(_parameter(_IF_NONE_MATCH))
    entry: dict[str, Any] = {
        "operationId": _operation_id(rule, method),
        "summary": "",
        "description": "",
        "tags": [rule.endpoint.partition(".")[0]],
        "parameters": takes,
        "responses": _responses(rule, about, schema_of),
        # OpenAPI 3.1 lets roles stand here for any kind of scheme.
        "security": []
        if about.scope is None
        else [{"token": [about.scope.value]}, {"session": []}],
    }
    if about.body is not None:
        content = {JSON: {"schema": schema_of[repr(about.body)]}}
        entry["requestBody"] = {"required": True, "content": content}
    elif about.bodies:
        content = {media: {"schema": schema} for media, schema in about.bodies.items()}
        entry["requestBody"] = {"content": content}
    return entry


def _responses(rule: Rule, about: Operation, schema_of: dict[str, Schema]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(about.status).phrase}
    if about.answer is not None:
        schema = {} if about.answer in (bytes, str) else schema_of[repr(about.answer)]
        answer["content"] = {about.media: {"schema": schema}}
    headers = [*about.headers]
    headers += ["ETag"] if about.tagged else []
    headers += ["Idempotency-Replayed"] if about.once else []
    if headers:
        answer["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    responses: dict[str, Any] = {str(about.status): answer}
    if about.tagged:
        responses["304"] = {"description": "What If-None-Match names is still so"}
    if about.ranges:
        responses["206"] = {**answer, "description": "The range that was asked for"}
        responses["416"] = {"description": "There is no such range"}
    refusals = {*_ALWAYS, *about.errors} | ({404} if rule.arguments else set())
    refusals |= {409, 422} if about.once else set()
    refusals |= {413, 415} if about.body is not None else set()
    for status in sorted(refusals):
        responses[str(status)] = _refusal(status, schema_of)
    return responses


def _refusal(status: int, schema_of: dict[str, Schema]) -> dict[str, Any]:
    if status < 400:
        return {"description": HTTPStatus(status).phrase}
    phrase = TusStatus(status).phrase if status == 460 else HTTPStatus(status).phrase
    return {
        "description": phrase,
        "content": {JSON: {"schema": schema_of[repr(ErrorAnswer)]}},
    }


def _path_parameters(rule: Rule, about: Operation) -> Iterator[dict[str, Any]]:
    own = {it.name: it for it in about.takes if it.place == "path"}
    for converter, name in _VARIABLE.findall(rule.rule):
        schema = own[name].schema if name in own else _CONVERTERS[converter or "default"]
        yield _parameter(Parameter(name, "", schema, "path", required=True))


def _parameter(about: Parameter) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": about.name, "in": about.place, "schema": about.schema}
    if about.meaning:
        entry["description"] = about.meaning
    if about.required:
        entry["required"] = True
    return entry


_IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "Your own name for this request: sent again under it within a day, it is answered as the first time and done once.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "header",
)
_IF_NONE_MATCH = Parameter(
    "If-None-Match", "An earlier answer's ETag.", {"type": "string"}, "header"
)


def _operation_id(rule: Rule, method: str) -> str:
    """Name the operation after its view; two addresses of one view are told apart."""
    name = rule.endpoint.replace(".", "_")
    with_id = method == "OPTIONS" and bool(rule.arguments)
    return f"{name}_one" if with_id else name


def _words(view: Any) -> tuple[str, str]:
    """Return the first line of a view's docstring, and the rest."""
    first, _, rest = (inspect.getdoc(view) or "").partition("\n")
    return first, " ".join(rest.split())
