"""A bucket that is away for a moment costs nothing that goes on without it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from models.bucket import Bucket
from models.tables import Upload
from tests.bucket.conftest import Hosts
from tests.web.clips import write_clip
from tests.web.conftest import site_of
from tests.web.requests import upload
from tests.web.test_tus import begin
from web.intake import finish_whole_uploads


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip whose conversion takes long enough to be asked about more than once."""
    return write_clip(tmp_path_factory.mktemp("clips") / "long.mp4", seconds=40)


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def wait_until_made(hosts: Hosts, address: str) -> dict[str, Any]:
    made: dict[str, Any] = {}

    def is_over() -> bool:
        made.update(hosts.client.get(address).get_json())
        return made["state"] in ("ready", "failed")

    wait_for(is_over)
    return made


def is_making(hosts: Hosts) -> bool:
    folder = site_of(hosts.app).media.scratch.folder
    return folder.is_dir() and any(folder.iterdir())


def refuse_once(hosts: Hosts, request: bytes) -> None:
    hosts.line.most_refusals, hosts.line.refuse_at = 1, request


def hold(hosts: Hosts, request: str) -> None:
    """Wait until a request in which this stands is on its way; it stays there until `go_on`."""
    hosts.line.hold_at = request.encode()
    wait_for(hosts.line.held.is_set)
    hosts.line.hold_at = None


def test_a_look_without_an_answer_ends_no_conversion(
    hosts: Hosts, long_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = upload(hosts.client, long_clip)
    address = f"/api/jobs/{job['id']}/playback"
    hosts.client.post(address)
    wait_for(lambda: is_making(hosts))
    refuse_once(hosts, b"HEAD ")
    wait_for(lambda: hosts.line.refusals == 1)
    assert wait_until_made(hosts, address)["state"] == "ready"
    assert "not known whether a copy's video is still here" in caplog.text


def test_a_copy_on_its_way_into_the_bucket_is_still_being_made(
    hosts: Hosts, long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.playback.FRESH_MS", -1)  # however long it takes
    job = upload(hosts.client, long_clip)
    address = f"/api/jobs/{job['id']}/playback"
    name = site_of(hosts.app).media.playback(job["video"]["id"])
    hosts.client.post(address)
    wait_for(lambda: is_making(hosts))
    hold(hosts, f"{name} HTTP")
    assert hosts.client.get(address).get_json()["state"] == "making"
    hosts.line.go_on.set()
    assert wait_until_made(hosts, address)["state"] == "ready"


def test_a_copy_that_is_asked_for_is_told_so_however_long_its_note_takes(
    hosts: Hosts, long_clip: Path
) -> None:
    job = upload(hosts.client, long_clip)
    address = f"/api/jobs/{job['id']}/playback"
    media = site_of(hosts.app).media
    assert isinstance(media.storage, Bucket)
    note = media.storage.key(media.playback_note(job["video"]["id"]))
    hosts.line.hold_at = f"PUT /{media.storage.bucket}/{note} HTTP".encode()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(hosts.client.post, address)
        wait_for(hosts.line.held.is_set)
        hosts.line.hold_at = None
        threading.Event().wait(0.3)  # the answer's own look, if it comes too early
        hosts.line.go_on.set()
        assert asked.result(60).get_json()["state"] == "making"
    assert wait_until_made(hosts, address)["state"] == "ready"


def test_a_note_without_an_answer_ends_no_render(
    hosts: Hosts, long_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = upload(hosts.client, long_clip)
    hosts.comment(job["id"])
    address = job["links"]["renders"]["mp4"]
    hosts.client.post(address)
    wait_for(lambda: is_making(hosts))
    refuse_once(hosts, b"PUT ")
    wait_for(lambda: hosts.line.refusals == 1)
    assert wait_until_made(hosts, address)["state"] == "ready"
    assert "progress of a render not noted" in caplog.text


def test_a_render_on_its_way_into_the_bucket_is_still_being_made(
    hosts: Hosts, long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.renders.renders.FRESH_MS", -1)  # however long it takes
    job = upload(hosts.client, long_clip)
    hosts.comment(job["id"])
    address = job["links"]["renders"]["mp4"]
    hosts.client.post(address)
    (note,) = site_of(hosts.app).media.storage.entries(f"renders/{job['id']}")
    hold(hosts, f"{note.name.removesuffix('.json')} HTTP")
    assert hosts.client.get(address).get_json()["state"] == "making"
    hosts.line.go_on.set()
    assert wait_until_made(hosts, address)["state"] == "ready"


def test_a_render_that_fails_without_a_note_ends_no_other(
    hosts: Hosts, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = upload(hosts.client, clip), upload(hosts.client, clip)
    for job in (first, second):
        hosts.comment(job["id"])
    hosts.client.post(first["links"]["renders"]["mp4"])
    wait_for(lambda: is_making(hosts))
    hosts.line.cut()
    wait_for(lambda: "failure of a render not noted" in caplog.text)
    hosts.line.mend()
    address = second["links"]["renders"]["mp4"]
    assert hosts.client.post(address).status_code == 202
    assert wait_until_made(hosts, address)["state"] == "ready"


def test_one_whole_upload_that_is_not_found_keeps_none_of_the_others(
    hosts: Hosts, clip: Path
) -> None:
    older, newer = _whole(hosts, clip), _whole(hosts, clip)
    hosts.line.refuse_at = newer.encode()  # it is looked at first
    finish_whole_uploads(site_of(hosts.app))
    assert (_has_job(hosts, older), _has_job(hosts, newer)) == (True, False)
    hosts.line.refuse_at = None
    finish_whole_uploads(site_of(hosts.app))
    assert _has_job(hosts, newer)


def _whole(hosts: Hosts, clip: Path) -> str:
    """Return the id of an upload that is whole, and whose server was killed then."""
    content = clip.read_bytes()
    url = begin(hosts.client, len(content), filename="whole.mp4").headers["Location"]
    upload_id = url.rsplit("/", 1)[1]
    with hosts.bucket.arrivals.opened(upload_id, len(content)) as arriving:
        arriving.append(0, content)
        arriving.hand_on()
    return upload_id


def _has_job(hosts: Hosts, upload_id: str) -> bool:
    with hosts.store.read() as session:
        return session.get_one(Upload, upload_id).job_id is not None
