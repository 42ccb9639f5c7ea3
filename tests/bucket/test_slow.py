"""A bucket that takes its time holds up whoever waits for it, and nobody who writes to the store meanwhile."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import func, select, update

from models.store import Store
from models.tables import Fetch, Job, Video
from tests.bucket.conftest import Hosts, names_in
from tests.bucket.server import line_to
from tests.store.rows import make_job
from tests.web.conftest import site_of
from tests.web.fetching import one
from tests.web.requests import upload
from tests.web.test_tus import begin
from web import create_app
from web.fetching.watcher import Watcher

DAY_MS = 24 * 3600 * 1000

Answer = TypeVar("Answer")


def beside(hosts: Hosts, request: bytes, deed: Callable[[], Answer]) -> Answer:
    """Return what comes of a deed; while its `request` to the bucket waits, another thread writes."""
    hosts.line.hold_at = request
    with ThreadPoolExecutor(2) as pool:
        try:
            done = pool.submit(deed)
            assert hosts.line.held.wait(30), done
            pool.submit(_write, hosts.store).result(20)
        finally:
            hosts.line.go_on.set()
        return done.result(60)


def _write(store: Store) -> None:
    with store.write() as session:
        make_job(session)


def test_beside_an_upload_of_what_is_there(hosts: Hosts, clip: Path) -> None:
    first = upload(hosts.client, clip)
    second = beside(hosts, b"x-amz-copy-source", lambda: upload(hosts.client, clip))
    assert second["video"]["id"] == first["video"]["id"]
    assert names_in(hosts.bucket) == [f"videos/{first['video']['id']}"]


def test_beside_an_upload_in_pieces_that_begins(hosts: Hosts) -> None:
    answer = beside(hosts, b"?uploads", lambda: begin(hosts.client, 100, filename="x.mp4"))
    assert answer.status_code == 201


def test_beside_a_fetch_that_begins(hosts: Hosts, clip: Path) -> None:
    shutil.copy(clip, Path(hosts.settings.server_folder) / "bars.mp4")
    url = beside(hosts, b"?uploads", lambda: one(hosts.client, paths=["bars.mp4"]))
    assert hosts.client.get(url).get_json()["state"] == "waiting"


def test_beside_a_file_that_came_into_the_folder(hosts: Hosts, clip: Path) -> None:
    seconds = 0.0
    watched = replace(site_of(hosts.app), settings=replace(hosts.settings, watch_seconds=60))
    watcher = Watcher(watched, lambda: seconds)
    watcher.look()
    shutil.copy(clip, Path(hosts.settings.server_folder) / "bars.mp4")
    watcher.look()
    seconds = 61
    beside(hosts, b"?uploads", watcher.look)
    with hosts.store.read() as session:
        assert session.scalar(select(func.count()).select_from(Fetch)) == 1


def test_beside_another_run(hosts: Hosts, clip: Path) -> None:
    job = upload(hosts.client, clip)
    again = f"/api/jobs/{job['id']}/runs"
    answer = beside(hosts, b"HEAD ", lambda: hosts.client.post(again, json={}))
    assert answer.status_code == 201


@pytest.mark.parametrize("request_", [b"POST /", b"GET /"], ids=["removing", "listing"])
def test_beside_videos_that_are_past_their_days(hosts: Hosts, clip: Path, request_: bytes) -> None:
    job = upload(hosts.client, clip)
    _let_its_days_pass(hosts, job["id"])
    beside(hosts, request_, hosts.sweep(keep_media_days=1).old_media)
    assert names_in(hosts.bucket) == []
    with hosts.store.read() as session:
        assert session.get_one(Video, job["video"]["id"]).removed_ms is not None


def test_an_upload_waits_for_a_removal_of_its_content(
    hosts: Hosts, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = upload(hosts.client, clip)
    _let_its_days_pass(hosts, job["id"])
    hosts.line.hold_at = b"POST /"  # the removal's
    with ThreadPoolExecutor(2) as pool:
        try:
            swept = pool.submit(hosts.sweep(keep_media_days=1).old_media)
            assert hosts.line.held.wait(30)
            again = pool.submit(upload, hosts.client, clip)
            _wait_for(lambda: "being removed just now" in caplog.text or again.done())
        finally:
            hosts.line.go_on.set()
        swept.result(60)
        again.result(60)
    assert hosts.client.get(job["video"]["url"]).data == clip.read_bytes()


def test_what_is_removed_while_an_upload_brings_it_back_comes_back(
    hosts: Hosts, clip: Path
) -> None:
    job = upload(hosts.client, clip)
    _let_its_days_pass(hosts, job["id"])
    hosts.line.hold_at = b"CopyObjectResult"  # it has put the file back, and doesn't know yet
    with ThreadPoolExecutor(1) as pool:
        try:
            again = pool.submit(upload, hosts.client, clip)
            assert hosts.line.held.wait(30)
            hosts.sweep(keep_media_days=1).old_media()
            assert not hosts.bucket.existing([f"videos/{job['video']['id']}"])
        finally:
            hosts.line.go_on.set()
        again.result(60)
    assert hosts.client.get(job["video"]["url"]).data == clip.read_bytes()


def test_beside_thumbnails_that_wait_for_their_pictures(
    hosts: Hosts, clip: Path, s3_port: int
) -> None:
    job = upload(hosts.client, clip)
    hosts.comment(job["id"])
    sheet = f"/media/sheets/{job['id']}/0.jpg"
    with line_to(s3_port) as quick, ThreadPoolExecutor(2) as pool:
        other = create_app(replace(hosts.settings, s3_endpoint=f"http://127.0.0.1:{quick.port}"))
        hosts.line.hold_at = b"/0.jpg HTTP"
        try:
            slow = pool.submit(hosts.client.get, sheet)
            assert hosts.line.held.wait(30)
            assert pool.submit(other.test_client().get, sheet).result(20).status_code == 200
        finally:
            hosts.line.go_on.set()
        assert slow.result(60).status_code == 200
        site_of(other).store.engine.dispose()


def _let_its_days_pass(hosts: Hosts, job_id: str) -> None:
    hosts.client.post(f"/api/jobs/{job_id}/cancel")
    with hosts.store.write() as session:
        session.execute(update(Job).values(finished_ms=Job.finished_ms - 2 * DAY_MS))


def _wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
