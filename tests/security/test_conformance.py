"""Requests that Schemathesis makes from the OpenAPI document get the answers that it promises."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from settings import Settings
from tests.web.clips import write_clip
from tests.web.commenting import comment_windows
from tests.web.conftest import ReadingClient, site_of
from tests.web.requests import upload
from web import create_app
from web.contract import OPERATIONS, PIECE

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
APART = {
    "events.stream GET",  # it goes on until the job has ended
    "reference.document GET",  # Schemathesis has read it already
}


@schemathesis.serializer(PIECE)
def piece(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory, _migrated_file: Path, shared_broker_url: str
) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("conformance")
    shutil.copy(_migrated_file, folder / "reelnotes.db")
    app = create_app(
        Settings(data_dir=folder, redis_url=shared_broker_url, playback_bytes=0, render_bytes=1)
    )
    app.test_client_class = ReadingClient
    yield app
    site_of(app).store.engine.dispose()


@pytest.fixture(scope="module")
def schema(app: Flask) -> Any:
    def read_to_the_end(environ: Any, start_response: Any) -> list[bytes]:
        answer = app(environ, start_response)
        try:
            return list(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return schemathesis.openapi.from_wsgi("/api/openapi.json", read_to_the_end)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "bars.mp4")


@pytest.fixture(scope="module")
def things(app: Flask, clip: Path) -> dict[str, list[Any]]:
    """Return names of things that are there, for the variables of addresses."""
    client, site = app.test_client(), site_of(app)
    jobs = [upload(client, clip) for _ in range(3)]
    comment_windows(site.store, site.media, jobs[0]["id"], 3)
    ids = [job["id"] for job in jobs]
    return {
        "job_id": ids,
        "video_id": [jobs[0]["video"]["id"]],
        "window": [0, 1],
        "number": [0],
    }


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - APART))
def test_answers_are_as_the_document_says(
    schema: Any, things: dict[str, list[Any]], name: str, request: pytest.FixtureRequest
) -> None:
    endpoint, _ = name.split()
    operations = [result.ok() for result in schema.get_all_operations()]
    found = [
        it
        for it in operations
        if it.definition.raw["operationId"]
        in (endpoint.replace(".", "_"), endpoint.replace(".", "_") + "_one")
    ]
    assert found
    for operation in found:

        @settings(
            max_examples=max(request.config.getoption("--examples") // 2, 2),
            phases=[Phase.explicit, Phase.generate],
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), data=st.data())
        def try_it(case: Any, data: st.DataObject) -> None:
            for variable in case.path_parameters or {}:
                there = things.get(variable)
                if there and data.draw(st.integers(0, 3)):
                    case.path_parameters[variable] = data.draw(st.sampled_from(there))
            case.call_and_validate(checks=CHECKS)

        try_it()
