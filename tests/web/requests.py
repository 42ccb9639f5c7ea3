"""Requests that many tests make."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient


def upload(client: FlaskClient, path: Path, **query: str) -> dict[str, Any]:
    """Queue a file; return the job's JSON."""
    with path.open("rb") as file:
        answer = client.post(
            "/api/jobs",
            query_string={"filename": path.name, **query},
            input_stream=file,
            content_length=path.stat().st_size,
        )
    assert answer.status_code == 201, answer.text
    shape: dict[str, Any] = answer.get_json()
    return shape
