"""Alive and ready are two things, and both are told to whoever asks."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from flask.testing import FlaskClient

from migrations import upgrade
from models.store import Store
from tests.broker import broker_process
from tests.conftest import NO_POSTGRES, open_store
from tests.postgres import find_binaries, own_server, processes_of
from tests.web.conftest import BuildApp, site_of
from tests.web.server import running_server
from web.site import Site


def test_a_ready_server_says_so_to_strangers_too(build_app: BuildApp) -> None:
    client = build_app(password="x").test_client()
    assert client.get("/api/ready").get_json() == {"status": "ready"}
    assert client.get("/api/health").get_json()["status"] == "ok"


def test_readiness_needs_the_broker(build_app: BuildApp) -> None:
    client = build_app(redis_url="redis://:hidden@127.0.0.1:1/0").test_client()
    answer = client.get("/api/ready")
    assert answer.status_code == 503
    assert answer.get_json()["error"] == {
        "kind": "unavailable",
        "message": "Not ready: the broker can't be used just now.",
    }
    assert client.get("/api/health").status_code == 200


def test_readiness_needs_the_media_folder(client: FlaskClient, site: Site) -> None:
    assert client.get("/api/ready").status_code == 200
    shutil.rmtree(site.media.root)
    site.media.root.write_text("in the way")
    assert "media folder" in client.get("/api/ready").get_json()["error"]["message"]
    assert client.get("/api/health").status_code == 200
    upload = client.post("/api/jobs?filename=x", data=b"x")
    assert (upload.status_code, upload.get_json()["error"]["kind"]) == (503, "unavailable")


def test_readiness_needs_the_store(build_app: BuildApp) -> None:
    app = build_app(database_url="postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    answer = app.test_client().get("/api/ready")
    assert (answer.status_code, "the store" in answer.text) == (503, True)
    site_of(app).store.engine.dispose()
    assert app.test_client().get("/api/health").status_code == 200


def test_an_empty_store_is_not_ready(
    client: FlaskClient, empty_database_url: str, build_app: BuildApp
) -> None:
    app = build_app(database_url=empty_database_url)
    assert app.test_client().get("/api/ready").status_code == 503
    store: Store = site_of(app).store
    store.engine.dispose()


def test_it_is_told_who_is_away_dead_or_frozen(tmp_path: Path) -> None:
    """No worker and no beat runs here at all: they are no part of whether the page can do its work."""
    programs = find_binaries()
    if programs is None:
        pytest.skip(NO_POSTGRES)
    with own_server(programs) as postgres, broker_process(tmp_path) as (redis_url, broker):
        store = open_store(f"{postgres}/postgres")
        upgrade(store)
        store.engine.dispose()
        env = {"DATABASE_URL": f"{postgres}/postgres", "REDIS_URL": redis_url}
        with running_server(tmp_path, env) as server:
            url = server.url
            assert wait_until(url, "ready")
            os.kill(broker, signal.SIGSTOP)
            assert wait_until(url, "the broker can't be used")
            os.kill(broker, signal.SIGCONT)
            assert wait_until(url, "ready")
            stopped = processes_of(postgres)
            each(stopped, psutil.Process.suspend)
            assert wait_until(url, "the store can't be used")
            for _ in range(2):  # however often one asks meanwhile, others are answered
                httpx.get(f"{url}/api/ready", timeout=60)
            assert httpx.get(f"{url}/api/health", timeout=60).status_code == 200
            each(stopped, psutil.Process.resume)
            assert wait_until(url, "ready")
            os.kill(broker, signal.SIGKILL)
            assert wait_until(url, "the broker can't be used")
            processes_of(postgres)[0].send_signal(signal.SIGQUIT)  # as pg_ctl stop -m immediate
            assert wait_until(url, "the store can't be used")
            assert httpx.get(f"{url}/api/health", timeout=60).json()["status"] == "ok"


def each(processes: list[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        act(process)


def wait_until(url: str, words: str) -> bool:
    """Tell whether /api/ready says so soon, and never keeps anybody waiting for long."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = httpx.get(f"{url}/api/ready", timeout=30)
        assert (answer.status_code == 200) == (answer.json().get("status") == "ready")
        if words in (answer.json().get("status"), "") or f"{words} just now" in answer.text:
            return True
        time.sleep(0.2)
    return False
