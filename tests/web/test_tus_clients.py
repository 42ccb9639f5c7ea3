"""The protocol's own client for Python against the real server over a line that fails.

What its client for browsers makes of the same stands in browser/test_uploads.py.
"""

import hashlib
import io
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from tusclient.storage.filestorage import FileStorage

from models import jobs
from tests.web.clips import write_large_clip
from tests.web.line import Line, running_line
from tests.web.server import Server, running_server

SIZE = 3_000_000
PIECE = 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("web"), {"REDIS_URL": shared_broker_url}) as server:
        yield server


@pytest.fixture
def line(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running_line(server.port) as line:
        yield line


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return write_large_clip(tmp_path / "large.mp4", SIZE, seed=int.from_bytes(os.urandom(3), "big"))


class Reopened(io.BytesIO):
    """A file for a client that leaves open what it opens itself, and reads on in what it has closed."""

    def close(self) -> None:
        self.seek(0)


def uploader(line: Line, path: Path, **changes: Any) -> Any:
    given = {"chunk_size": PIECE, "retries": 9, "retry_delay": 0.1, **changes}
    stream = Reopened(path.read_bytes())
    client = TusClient(f"{line.url}/api/uploads")
    return client.uploader(file_stream=stream, metadata={"filename": path.name}, **given)


def assert_arrived(server: Server, sending: Any, path: Path) -> None:
    """The job that the last answer names has the file, whole and as it was."""
    job_id = sending.request.response_headers["reelnotes-job"]
    with server.store.read() as session:
        job = jobs.get_job(session, job_id)
    content = path.read_bytes()
    assert (job.filename, job.video.size_bytes) == (path.name, len(content))
    assert job.video.sha256 == hashlib.sha256(content).hexdigest()
    assert (server.media.root / server.media.video(job.video_id)).read_bytes() == content


def test_an_upload_goes_on_over_cut_connections(server: Server, line: Line, large: Path) -> None:
    line.cut_after = [300_000, 700_000, 5_000, 1]
    sending = uploader(line, large)
    sending.upload()
    assert_arrived(server, sending, large)
    assert line.cut_after == []
    assert line.sent < SIZE + 500_000  # what had come was not sent again


def test_a_piece_that_was_damaged_is_sent_again(server: Server, line: Line, large: Path) -> None:
    line.damage_at = [500_000]
    with pytest.raises(TusUploadFailed) as failed:
        uploader(line, large, upload_checksum=True, retries=0).upload()
    assert failed.value.status_code == 460
    line.damage_at = [500_000, 800_000]
    sending = uploader(line, large, upload_checksum=True)
    sending.upload()
    assert_arrived(server, sending, large)


def killed(server: Server, number: signal.Signals) -> None:
    (child,) = psutil.Process(server.pid).children()
    child.send_signal(number)
    psutil.wait_procs([child], timeout=60)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_upload_survives_the_death_of_the_web_process(
    server: Server, line: Line, large: Path, number: signal.Signals
) -> None:
    sending = uploader(line, large)
    sending.upload(stop_at=PIECE)
    killed(server, number)
    sending.upload()
    assert_arrived(server, sending, large)


def test_a_client_that_is_started_anew_finds_its_upload(
    server: Server, line: Line, large: Path, tmp_path: Path
) -> None:
    storage: Any = FileStorage
    with closing(storage(str(tmp_path / "urls.json"))) as urls:
        stored = {"store_url": True, "url_storage": urls}
        uploader(line, large, **stored).upload(stop_at=2 * PIECE)
        sending = uploader(line, large, **stored)
        assert sending.offset == 2 * PIECE
        sending.upload()
    assert_arrived(server, sending, large)


def test_a_connection_that_died_in_silence_keeps_nobody_from_going_on(
    server: Server, line: Line, large: Path
) -> None:
    sending = uploader(line, large)
    sending.upload(stop_at=PIECE)
    head = (
        f"PATCH {httpx.URL(sending.url).path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\n"
        f"Upload-Offset: {PIECE}\r\nContent-Type: application/offset+octet-stream\r\n"
        f"Content-Length: {SIZE - PIECE}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(head.encode() + large.read_bytes()[PIECE : PIECE + 600_000])
        wait_for(lambda: sending.get_offset() > PIECE)
        sending.offset = sending.get_offset()
        sending.upload()
        assert_arrived(server, sending, large)


def test_what_the_server_refuses_is_told_by_its_status(
    server: Server, line: Line, tmp_path: Path
) -> None:
    sending = uploader(line, write_large_clip(tmp_path / "x.mp4", 50_000), retries=0)
    sending.set_url(sending.create_url())
    sending.offset = 10
    with pytest.raises(TusUploadFailed) as failed:
        sending.upload()
    assert failed.value.status_code == 409
    httpx.delete(sending.url, headers={"Tus-Resumable": "1.0.0"}).raise_for_status()
    with pytest.raises(TusCommunicationError) as gone:
        sending.get_offset()
    assert gone.value.status_code == 404


def wait_for(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")
