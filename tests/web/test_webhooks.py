"""Who is told of jobs' ends: registered by the API, told by a real courier over a real line."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from models import jobs, webhooks
from models.clock import now_ms
from models.errors import BadFile
from models.outbound import Hosts
from models.store import Store
from models.tables import Delivery, Webhook
from tests.story.test_steps import Teller, run
from tests.web.certificate import contexts_for
from tests.web.commenting import comment_windows, fail_next
from tests.web.conftest import BuildApp, site_of
from tests.web.receiver import Received, Receiver, dripping, running_receiver
from tests.web.requests import upload
from worker.courier import Courier
from worker.keeper import Keeper
from worker.site import Site as WorkerSite

ROOT = Path(__file__).parents[2]
LOCAL = Hosts("WEBHOOK_HOSTS", frozenset({"127.0.0.1"}))


@pytest.fixture
def app(build_app: BuildApp) -> Flask:
    return build_app(webhook_hosts="127.0.0.1")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def register(client: FlaskClient, receiver: Receiver, **more: Any) -> dict[str, Any]:
    answer = client.post("/api/webhooks", json={"url": receiver.url, **more})
    assert answer.status_code == 201, answer.text
    hook: dict[str, Any] = answer.get_json()
    return hook


def told(client: FlaskClient, hook: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    answer = client.get(f"/api/webhooks/{hook['id']}/deliveries", query_string=query)
    assert answer.status_code == 200, answer.text
    deliveries: list[dict[str, Any]] = answer.get_json()["deliveries"]
    return deliveries


def verify(secret: str, message: Received) -> bool:
    """Check a signature as docs/api.md tells receivers to."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message.headers['webhook-id']}.{message.headers['webhook-timestamp']}.".encode()
    digest = hmac.digest(key, signed + message.body, hashlib.sha256)
    expected = f"v1,{base64.b64encode(digest).decode()}"
    return expected in message.headers["webhook-signature"].split(" ")


def serve(store: Store, hook: dict[str, Any]) -> None:
    Courier(store, LOCAL).serve(hook["id"])


def due_now(store: Store) -> None:
    with store.write() as session:
        session.execute(
            update(Delivery).where(Delivery.due_ms.is_not(None)).values(due_ms=now_ms())
        )


def cancel_one(client: FlaskClient, clip: Path) -> str:
    job_id: str = upload(client, clip)["id"]
    assert client.post(f"/api/jobs/{job_id}/cancel").status_code == 200
    return job_id


def test_every_end_of_a_job_is_told_signed(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook, site = register(client, receiver), site_of(app)
    failed = upload(client, known_clip)["id"]
    fail_next(site.store, failed, BadFile("It is torn."))
    done = upload(client, known_clip)["id"]
    comment_windows(site.store, site.media, done, 10_000)
    cancelled = cancel_one(client, known_clip)
    serve(site.store, hook)
    bodies = [json.loads(message.body) for message in receiver.received]
    assert [(body["type"], body["data"]["id"]) for body in bodies] == [
        ("job.failed", failed),
        ("job.done", done),
        ("job.cancelled", cancelled),
    ]
    assert bodies[0]["data"]["failure"]["message"] == "It is torn."
    assert all(verify(hook["secret"], message) for message in receiver.received)
    ids = [message.headers["webhook-id"] for message in receiver.received]
    assert [delivery["id"] for delivery in reversed(told(client, hook))] == ids
    assert {delivery["state"] for delivery in told(client, hook)} == {"delivered"}
    assert receiver.received[0].path == "/hook?key=1"


def test_only_the_events_that_are_wanted(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook = register(client, receiver, events=["job.done"])
    cancel_one(client, known_clip)
    assert told(client, hook) == []


def test_a_job_is_told_done_once_however_often_something_is_added(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook, site = register(client, receiver), site_of(app)
    keeper = Keeper(site.store, 30_000, 120)
    worker = WorkerSite(site.store, site.media, Teller(), keeper, 30_000, 120)
    job = upload(client, known_clip)
    comment_windows(site.store, site.media, job["id"], 10_000)
    for finish in (
        lambda: run(worker, job["id"]),
        lambda: client.post(f"/api/jobs/{job['id']}/cancel"),
        lambda: client.delete(job["links"]["summary"]),
    ):
        assert client.post(job["links"]["summary"]).status_code == 202
        assert client.get(job["links"]["self"]).get_json()["state"] == "queued"
        finish()
        assert client.get(job["links"]["self"]).get_json()["state"] == "done"
    assert [delivery["event"] for delivery in told(client, hook)] == ["job.done"]


def test_each_failure_is_told_and_what_the_retry_comes_to(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook, site = register(client, receiver), site_of(app)
    job_id = upload(client, known_clip)["id"]
    for _ in range(2):
        fail_next(site.store, job_id, BadFile("It is torn."))
        assert client.post(f"/api/jobs/{job_id}/retry").status_code == 200
    comment_windows(site.store, site.media, job_id, 10_000)
    events = [delivery["event"] for delivery in reversed(told(client, hook))]
    assert events == ["job.failed", "job.failed", "job.done"]


def test_what_is_not_committed_is_not_told(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook, store = register(client, receiver), site_of(app).store
    job_id = upload(client, known_clip)["id"]
    with suppress(KeyError), store.write() as session:
        jobs.cancel(session, job_id)
        session.flush()
        raise KeyError
    assert told(client, hook) == []


def test_a_failed_attempt_is_made_again_under_the_same_id(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook, store = register(client, receiver), site_of(app).store
    cancel_one(client, known_clip)
    receiver.statuses = [500, 302]
    serve(store, hook)
    (waiting,) = told(client, hook)
    assert waiting["state"] == "waiting"
    assert 0 < waiting["next_ms"] - now_ms() <= 5000
    serve(store, hook)  # not due yet
    assert len(receiver.received) == 1
    for _ in range(2):
        due_now(store)
        serve(store, hook)
    (delivery,) = told(client, hook, state="delivered")
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 302, 204]
    assert len({message.headers["webhook-id"] for message in receiver.received}) == 1


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [
        ("http", b"HTTP/1.1 204 No Content\r\nX-Padding: " + b"x" * 20 + b"\r\n\r\n"),
        ("https", b"\x16\x03\x03\x3f\xff" + bytes(40)),  # the beginning of a handshake
    ],
    ids=["headers", "handshake"],
)
def test_a_receiver_that_drips_its_answer_is_given_up_in_time(
    app: Flask,
    client: FlaskClient,
    known_clip: Path,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    answer: bytes,
) -> None:
    monkeypatch.setattr("worker.courier.PATIENCE_S", 1.0)
    hook, store = register(client, receiver), site_of(app).store
    cancel_one(client, known_clip)
    with dripping(answer) as port:
        with store.write() as session:
            session.execute(update(Webhook).values(url=f"{scheme}://127.0.0.1:{port}/"))
        serve(store, hook)
    (delivery,) = told(client, hook)
    (attempt,) = delivery["attempts"]
    assert (attempt["status"], attempt["error"]) == (None, "No answer came within 1 s.")


def test_receivers_on_one_address_do_not_get_each_others_cookies(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    receiver.cookie = "session=of-the-first"
    hooks, store = [register(client, receiver) for _ in range(2)], site_of(app).store
    cancel_one(client, known_clip)
    courier = Courier(store, LOCAL)
    for hook in hooks:
        courier.serve(hook["id"])
    assert len(receiver.received) == 2
    assert ["cookie" in message.headers for message in receiver.received] == [False, False]


def test_one_that_takes_nothing_is_disabled_with_the_reason(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook, store = register(client, receiver), site_of(app).store
    cancel_one(client, known_clip)
    receiver.statuses = [503] * 20
    for _ in range(len(webhooks.RETRY_S) + 1):
        due_now(store)
        serve(store, hook)
    assert len(receiver.received) == 10
    (delivery,) = told(client, hook, state="failed")
    now = client.get(f"/api/webhooks/{hook['id']}").get_json()
    assert now["enabled"] is False
    assert "503" in now["disabled_reason"]
    again = f"/api/webhooks/{hook['id']}/deliveries/{delivery['id']}/redeliver"
    assert client.post(again).status_code == 409
    cancel_one(client, known_clip)
    assert len(told(client, hook)) == 1
    assert client.patch(f"/api/webhooks/{hook['id']}", json={"enabled": True}).status_code == 200
    receiver.statuses = []
    assert client.post(again).status_code == 202
    serve(store, hook)
    assert told(client, hook)[0]["state"] == "delivered"


def test_410_ends_it_at_once(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook = register(client, receiver)
    cancel_one(client, known_clip)
    receiver.statuses = [410]
    serve(site_of(app).store, hook)
    now = client.get(f"/api/webhooks/{hook['id']}").get_json()
    assert "410" in now["disabled_reason"]


def test_a_secret_is_told_once_and_changed_over(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook, store = register(client, receiver), site_of(app).store
    for path in ("/api/webhooks", f"/api/webhooks/{hook['id']}"):
        assert hook["secret"] not in client.get(path).text
    new = client.post(f"/api/webhooks/{hook['id']}/secret").get_json()["secret"]
    assert new != hook["secret"]
    cancel_one(client, known_clip)
    serve(store, hook)
    assert verify(hook["secret"], receiver.received[-1])
    assert verify(new, receiver.received[-1])
    with store.write() as session:
        session.execute(update(Webhook).values(old_until_ms=1))
    cancel_one(client, known_clip)
    serve(store, hook)
    assert not verify(hook["secret"], receiver.received[-1])
    assert verify(new, receiver.received[-1])


def test_the_log_is_read_page_by_page(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook = register(client, receiver)
    jobs = [cancel_one(client, known_clip) for _ in range(3)]
    seen: list[str] = []
    before: str | None = ""
    while before is not None:
        query = {"limit": "2", "before": before}
        page = client.get(f"/api/webhooks/{hook['id']}/deliveries", query_string=query).get_json()
        seen += [delivery["job"] for delivery in page["deliveries"]]
        before = page["next"]
    assert seen == jobs[::-1]


def test_a_deleted_one_takes_its_log_along(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    hook, store = register(client, receiver), site_of(app).store
    cancel_one(client, known_clip)
    assert client.delete(f"/api/webhooks/{hook['id']}").status_code == 204
    with store.read() as session:
        assert session.scalars(select(Delivery)).all() == []
    cancel_one(client, known_clip)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.org/",
        "https://",
        "https://u:p@example.org/",
        "http://127.0.0.1/x",
        "http://localhost:8000/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://10.1.2.3/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://exa mple.org/",
        "http://example.org:99999/",
    ],
)
def test_addresses_that_are_not_public_are_refused(build_app: BuildApp, url: str) -> None:
    client = build_app().test_client()
    answer = client.post("/api/webhooks", json={"url": url})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost"])
def test_a_name_that_leads_inside_is_not_followed(
    app: Flask,
    client: FlaskClient,
    known_clip: Path,
    receiver: Receiver,
    host: str,
) -> None:
    hook, store = register(client, receiver), site_of(app).store
    with store.write() as session:
        session.execute(update(Webhook).values(url=receiver.url.replace("127.0.0.1", host)))
    cancel_one(client, known_clip)
    Courier(store, Hosts("WEBHOOK_HOSTS")).serve(hook["id"])
    assert receiver.received == []
    (delivery,) = told(client, hook)
    assert "WEBHOOK_HOSTS" in delivery["attempts"][0]["error"]


def test_a_certificate_must_be_for_the_hosts_name(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver, tmp_path: Path
) -> None:
    own, trust = contexts_for("hooks.example", tmp_path)
    hook, store = register(client, receiver), site_of(app).store
    names = frozenset({"hooks.example", "other.example"})
    hosts = Hosts("WEBHOOK_HOSTS", names, lambda host, port: ["127.0.0.1"])
    with running_receiver(own) as secure:
        port = secure.url.rpartition(":")[2]
        for name in sorted(names):
            with store.write() as session:
                session.execute(update(Webhook).values(url=f"https://{name}:{port}"))
            cancel_one(client, known_clip)
            Courier(store, hosts, trust).serve(hook["id"])
    attempts = [delivery["attempts"][0] for delivery in reversed(told(client, hook))]
    assert [attempt["status"] for attempt in attempts] == [204, None]
    assert "certificate" in attempts[1]["error"].lower()
    assert len(secure.received) == 1


def test_networks_can_be_allowed(build_app: BuildApp) -> None:
    client = build_app(webhook_hosts="hooks.internal, 10.0.0.0/8").test_client()
    for url, status in (("http://10.1.2.3/", 201), ("http://192.168.0.1/", 400)):
        assert client.post("/api/webhooks", json={"url": url}).status_code == status


def test_what_a_killed_courier_was_telling_is_told_again(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver, database_url: str
) -> None:
    """The real beat process, killed while the receiver keeps it waiting."""
    site = site_of(app)
    hook = register(client, receiver)
    receiver.hangs.set()
    env = {
        **os.environ,
        "DATA_DIR": str(site.settings.data_dir),
        "DATABASE_URL": database_url,
        "REDIS_URL": site.settings.redis_url,
        "WEBHOOK_HOSTS": "127.0.0.1",
    }

    def beat() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "cli", "beat"]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)

    cancel_one(client, known_clip)
    process = beat()
    try:
        first = receiver.wait()
        process.kill()
        process.wait()
        receiver.hangs.clear()
        due_now(site.store)  # instead of waiting until the claim has run out
        process = beat()
        second = receiver.wait()
        for _ in range(600):
            (delivery,) = told(client, hook)
            if delivery["state"] == "delivered":
                break

            time.sleep(0.1)
        assert delivery["state"] == "delivered"
    finally:
        process.kill()
        process.wait()
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    assert second.body == first.body


def test_the_documented_check_tells_genuine_from_forged(
    app: Flask, client: FlaskClient, known_clip: Path, receiver: Receiver
) -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    source = next(part for part in page.split("```python\n") if "def is_genuine" in part)
    names: dict[str, Any] = {}
    exec(source.partition("```")[0], names)
    hook = register(client, receiver)
    cancel_one(client, known_clip)
    serve(site_of(app).store, hook)
    (message,) = receiver.received
    assert names["is_genuine"](hook["secret"], message.headers, message.body)
    assert not names["is_genuine"](hook["secret"], message.headers, message.body + b" ")
    old = {**message.headers, "webhook-timestamp": "1700000000"}
    assert not names["is_genuine"](hook["secret"], old, message.body)
