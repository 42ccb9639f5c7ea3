"""One shape for every error, on pages and in the API."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.corrections import CorrectedMeanwhile
from models.errors import (
    AppError,
    CommentatorFailed,
    InternalError,
    PromptRefused,
    WorkerLost,
)
from tests.web.conftest import BuildApp
from web.errors import STATUSES, Forbidden, SignInNeeded, TooMany

HOSTILE = "<script>alert(1)</script> \u202e 'x' & \"y\""


def kinds(root: type[AppError]) -> list[type[AppError]]:
    """Return all that are made of a sentence; CorrectedMeanwhile tells the segment, see test_corrections."""
    children = [child for child in root.__subclasses__() if child is not CorrectedMeanwhile]
    below = [kind for child in children for kind in kinds(child)]
    return [root, *below] if hasattr(root, "kind") else below


@pytest.fixture
def failing(build_app: BuildApp) -> Flask:
    """Return an application with an address for each way to fail."""
    app = build_app()
    for kind in kinds(AppError):

        def fail(kind: type[AppError] = kind) -> str:
            raise kind(f"{HOSTILE} of {kind.kind}.")

        for path in ("/api/fail", "/fail"):
            app.add_url_rule(f"{path}/{kind.__name__}", f"{path}-{kind.__name__}", fail)
    app.add_url_rule("/api/bug", "bug", lambda: str(1 // 0))
    app.add_url_rule("/bug", "bug-page", lambda: str(1 // 0))
    return app


def test_every_kind_has_the_one_shape_and_a_status_of_its_own(failing: Flask) -> None:
    client = failing.test_client()
    for kind in kinds(AppError):
        answer = client.get(f"/api/fail/{kind.__name__}")
        assert answer.get_json() == {
            "error": {"kind": kind.kind, "message": f"{HOSTILE} of {kind.kind}."}
        }
        assert answer.status_code == STATUSES.get(kind, 500)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_only_our_own_faults_are_told_as_500() -> None:
    unanswered = {kind for kind in kinds(AppError) if kind not in STATUSES}
    assert unanswered == {WorkerLost, CommentatorFailed, PromptRefused, InternalError}
    assert {SignInNeeded, Forbidden, TooMany} <= set(STATUSES)


def test_a_person_gets_a_page_with_the_words_escaped(failing: Flask) -> None:
    client = failing.test_client()
    for kind in kinds(AppError):
        answer = client.get(f"/fail/{kind.__name__}", headers={"Accept": "text/html,*/*;q=0.8"})
        assert answer.mimetype == "text/html"
        assert answer.status_code == STATUSES.get(kind, 500)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
        assert "<script>alert" not in answer.text
        assert kind.kind in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/nothing", 404, "not-found"),
        ("GET", "/api/jobs/short", 404, "not-found"),
        ("PUT", "/api/jobs", 405, "method"),
        ("GET", "/media/videos/x", 404, "not-found"),
        ("GET", "/nothing", 404, "not-found"),
    ],
)
def test_http_errors_have_the_shape_too(
    client: FlaskClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert set(answer.get_json()) == {"error"}
    assert set(answer.get_json()["error"]) == {"kind", "message"}
    assert answer.get_json()["error"]["kind"] == kind


def test_405_names_the_methods_that_are_taken(client: FlaskClient) -> None:
    assert set(client.put("/api/jobs").headers["Allow"].split(", ")) >= {"GET", "POST"}


def test_a_request_that_is_too_long_is_refused(client: FlaskClient) -> None:
    answer = client.patch(
        "/api/jobs/aaaaaaaaaaaaaaaa", data="x" * 100_000, content_type="application/json"
    )
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (413, "too-large")


def test_a_request_that_is_nested_too_deeply_is_refused(client: FlaskClient) -> None:
    for method, path in (("PUT", "/api/presets/x"), ("POST", "/api/jobs/batch")):
        answer = client.open(
            path, method=method, data="[" * 20_000, content_type="application/json"
        )
        assert (answer.status_code, answer.get_json()["error"]["kind"]) == (400, "invalid")


def test_a_bug_is_told_without_its_insides(failing: Flask) -> None:
    client = failing.test_client()
    answer = client.get("/api/bug")
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (500, "internal")
    page = client.get("/bug", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (500, "text/html")
    assert "division" not in answer.text + page.text
