"""The API's reference: the OpenAPI document for programs, the same as a page for people."""

import re
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, render_template
from markupsafe import Markup, escape

from web.openapi import write_document

bp = Blueprint("reference", __name__)


@bp.get("/api/openapi.json")
def document() -> Response:
    """Send this API's OpenAPI document."""
    return jsonify(_document(_app()))


@bp.get("/api")
def page() -> str:
    """Show every address, what it takes and what it answers."""
    return render_template("reference.html", api=_document(_app()))


@bp.app_template_filter("prose")
def prose(text: str) -> Markup:
    """Show what stands in backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@cache
def _document(app: Flask) -> dict[str, Any]:
    return write_document(app)


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app
