"""A request that is sent again under its key is done once, and answered as the first time."""

import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from models import idempotency
from models.clock import now_ms
from models.errors import Conflict
from models.owners import new_owner
from models.store import Store
from models.tables import Job, KeptAnswer, Upload
from tests.web.conftest import BuildApp
from tests.web.requests import upload
from web.site import Site

KEY = {"Idempotency-Key": "nightly-17"}
TUS = {"Tus-Resumable": "1.0.0"}


def send(client: FlaskClient, clip: Path, key: str = "nightly-17", **query: str) -> TestResponse:
    with clip.open("rb") as file:
        return client.post(
            "/api/jobs",
            query_string={"filename": clip.name, **query},
            input_stream=file,
            content_length=clip.stat().st_size,
            headers={"Idempotency-Key": key},
        )


def count(store: Store, table: Any) -> int:
    with store.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_an_upload_sent_again_is_one_job(
    client: FlaskClient, store: Store, known_clip: Path
) -> None:
    first, second = send(client, known_clip), send(client, known_clip)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.data == first.data
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert count(store, Job) == 1


def test_another_key_or_none_is_another_job(
    client: FlaskClient, store: Store, known_clip: Path
) -> None:
    send(client, known_clip)
    send(client, known_clip, key="another")
    upload(client, known_clip)
    upload(client, known_clip)
    assert count(store, Job) == 4


def test_another_request_under_the_key_is_refused(
    client: FlaskClient, store: Store, known_clip: Path
) -> None:
    send(client, known_clip)
    answer = send(client, known_clip, capture_fps="1")
    assert answer.status_code == 422
    assert answer.get_json()["error"]["kind"] == "key-reused"
    assert count(store, Job) == 1


def test_an_error_frees_the_key(client: FlaskClient, store: Store, known_clip: Path) -> None:
    assert send(client, known_clip, priority="99").status_code == 400
    empty = client.post("/api/jobs?filename=x", data=b"no video", headers=KEY)
    assert empty.status_code == 422
    assert count(store, KeptAnswer) == 0
    assert send(client, known_clip).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "ü"])
def test_keys_are_visible_ascii(client: FlaskClient, known_clip: Path, key: str) -> None:
    assert send(client, known_clip, key=key).status_code == 400


def test_one_person_never_gets_the_answer_of_another(build_app: BuildApp, known_clip: Path) -> None:
    app = build_app(password="long enough")
    people = [app.test_client() for _ in range(2)]
    for person in people:
        person.post("/sign-in", data={"password": "long enough"})
    ids = {send(person, known_clip).get_json()["id"] for person in people}
    assert len(ids) == 2


def claim(store: Store, path: str, owner: str, age_ms: int = 0, method: str = "POST") -> None:
    """Leave a request under way, as a server that is at it does."""
    digest = idempotency.digest_of("", method, path, "nightly-17")
    with store.write() as session:
        session.add(
            KeptAnswer(
                digest=digest,
                fingerprint=idempotency.digest_of("{}"),
                owner=owner,
                created_ms=now_ms() - age_ms,
            )
        )


def run_again(client: FlaskClient, job_id: str) -> TestResponse:
    return client.post(
        f"/api/jobs/{job_id}/runs", data="{}", headers=KEY, content_type="application/json"
    )


def test_a_run_is_begun_once(client: FlaskClient, store: Store, known_clip: Path) -> None:
    job_id = upload(client, known_clip)["id"]
    first, second = run_again(client, job_id), run_again(client, job_id)
    assert (first.status_code, first.data) == (201, second.data)
    assert count(store, Job) == 2


def test_the_same_at_the_same_time_is_a_conflict(
    client: FlaskClient, store: Store, known_clip: Path
) -> None:
    job_id = upload(client, known_clip)["id"]
    claim(store, f"/api/jobs/{job_id}/runs", new_owner())
    answer = run_again(client, job_id)
    assert answer.status_code == 409
    assert int(answer.headers["Retry-After"]) > 0
    assert count(store, Job) == 1


@pytest.mark.parametrize(
    ("owner", "age_ms"),
    [
        (new_owner().rsplit("-", 2)[0] + "-4194304-" + "a" * 16, 0),  # beyond the last process
        ("elsewhere-00000000-1-2-" + "a" * 16, idempotency.LONGEST_MS + 1),
    ],
    ids=["killed", "silent"],
)
def test_a_key_outlives_no_process(
    client: FlaskClient, store: Store, known_clip: Path, owner: str, age_ms: int
) -> None:
    job_id = upload(client, known_clip)["id"]
    claim(store, f"/api/jobs/{job_id}/runs", owner, age_ms)
    assert run_again(client, job_id).status_code == 201


def test_many_at_once_make_one_job(
    app: Flask, client: FlaskClient, store: Store, known_clip: Path
) -> None:
    job_id = upload(client, known_clip)["id"]
    statuses: list[int] = []
    ready = threading.Barrier(8)

    def go() -> None:
        ready.wait(30)
        statuses.append(run_again(app.test_client(), job_id).status_code)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert count(store, Job) == 2


def test_a_batch_is_done_once(client: FlaskClient, known_clip: Path) -> None:
    job_id = upload(client, known_clip)["id"]
    wish = {"action": "delete", "ids": [job_id]}
    first, second = (client.post("/api/jobs/batch", json=wish, headers=KEY) for _ in range(2))
    assert first.get_json()["done"] == 1
    assert second.data == first.data


def test_a_resumable_upload_is_begun_once(
    client: FlaskClient, store: Store, known_clip: Path
) -> None:
    headers = {**TUS, **KEY, "Upload-Length": "10"}
    first = client.post("/api/uploads", headers=headers)
    client.patch(
        first.headers["Location"],
        data=b"1234",
        headers={**TUS, "Upload-Offset": "0"},
        content_type="application/offset+octet-stream",
    )
    second = client.post("/api/uploads", headers=headers)
    assert second.status_code == 201
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Upload-Offset"] == "4"
    assert count(store, Upload) == 1
    other = client.post("/api/uploads", headers={**headers, "Upload-Length": "11"})
    assert other.status_code == 422


def test_it_holds_across_processes_and_for_a_day(
    build_app: BuildApp, store: Store, known_clip: Path
) -> None:
    first = send(build_app().test_client(), known_clip)
    second = send(build_app().test_client(), known_clip)
    assert second.data == first.data
    with store.write() as session:
        session.execute(update(KeptAnswer).values(created_ms=now_ms() - idempotency.KEPT_MS - 1))
    assert send(build_app().test_client(), known_clip).data != first.data


def test_old_answers_are_swept(site: Site, client: FlaskClient, known_clip: Path) -> None:
    send(client, known_clip)
    with site.store.write() as session:
        idempotency.forget_old(session)
    assert count(site.store, KeptAnswer) == 1
    with site.store.write() as session:
        session.execute(update(KeptAnswer).values(created_ms=1))
        idempotency.forget_old(session)
    assert count(site.store, KeptAnswer) == 0


def test_a_turn_that_was_lost_undoes_the_deed(store: Store) -> None:
    """Whoever froze while under way finds the key in other hands, and does nothing."""
    with store.write() as session:
        slow = idempotency.begin(session, "d", "f")
    assert isinstance(slow, idempotency.Turn)
    with store.write() as session:
        session.execute(update(KeptAnswer).values(created_ms=1))
    with store.write() as session:
        idempotency.begin(session, "d", "f")

    with pytest.raises(Conflict), store.write() as session:
        idempotency.keep(session, slow, idempotency.Answer(201, None, "{}"))
