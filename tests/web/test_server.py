"""The real server on a real socket: what a test client can't show."""

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from models import job_lists
from tests.packaging.processes import wait_for
from tests.web.clips import write_clip
from tests.web.server import Server, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("web"), {"REDIS_URL": shared_broker_url}) as server:
        yield server


@pytest.fixture(scope="module")
def broadcast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video that plays however much of its end is missing."""
    return write_clip(tmp_path_factory.mktemp("clips") / "cut.ts", codec="mpeg2video", rate=25)


def exchange(server: Server, *pieces: bytes) -> bytes:
    """Send bytes, then the end of the stream; return all that the server says.

    A server that has answered may hang up on what is still being sent: its answer counts all the same.
    """
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        with suppress(OSError):
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
    return answer


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", "")).encode()


def assert_nothing_is_left(server: Server) -> None:
    for _ in range(100):
        left = [path for path in server.media.root.rglob("*") if path.is_file()]
        if not left:
            break
        time.sleep(0.05)
    assert left == []
    with server.store.read() as session:
        assert job_lists.count_jobs(session) == {}


def test_an_upload_that_breaks_off_leaves_nothing(server: Server, broadcast: Path) -> None:
    half = broadcast.read_bytes()[: broadcast.stat().st_size // 2]
    length = f"Content-Length: {broadcast.stat().st_size}"
    answer = exchange(server, head("/api/jobs?filename=half.mp4", length), half)
    assert b"201" not in answer.split(b"\r\n")[0]
    assert_nothing_is_left(server)


def test_a_chunked_upload_that_breaks_off_leaves_nothing(server: Server, broadcast: Path) -> None:
    half = broadcast.read_bytes()[: broadcast.stat().st_size // 2]
    chunk = f"{len(half):x}\r\n".encode() + half + b"\r\n"
    lines = ("Transfer-Encoding: chunked",)
    answer = exchange(server, head("/api/jobs?filename=half.mp4", *lines), chunk)
    assert b"201" not in answer.split(b"\r\n")[0]
    assert_nothing_is_left(server)


def test_a_form_that_breaks_off_leaves_nothing(server: Server, broadcast: Path) -> None:
    begin = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.mp4"\r\n\r\n'
    lines = ("Content-Type: multipart/form-data; boundary=b", "Content-Length: 999999")
    answer = exchange(server, head("/api/jobs", *lines), begin, broadcast.read_bytes())
    assert b"201" not in answer.split(b"\r\n")[0]
    assert_nothing_is_left(server)


def test_an_upload_without_a_length_is_taken(server: Server, clip: Path) -> None:
    pieces = iter([clip.read_bytes()[:1000], clip.read_bytes()[1000:]])
    url = f"{server.url}/api/jobs?filename=chunked.mp4"
    answer = httpx.post(url, content=pieces, timeout=60)
    assert answer.status_code == 201
    job = answer.json()
    assert (
        server.media.root / server.media.video(job["video"]["id"])
    ).read_bytes() == clip.read_bytes()
    httpx.delete(f"{server.url}/api/jobs/{job['id']}")


def test_a_refused_upload_gets_its_sentence(server: Server) -> None:
    """The client is told although it hasn't sent all: a browser would say "connection lost"."""
    lines = ("Content-Length: 99000000000",)
    answer = exchange(server, head("/api/jobs?filename=x", *lines), b"x" * 200_000)
    assert answer.startswith(b"HTTP/1.1 413")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["kind"] == "too-large"


def test_an_empty_export_leaves_nothing_behind_it_on_the_line(server: Server, clip: Path) -> None:
    with httpx.Client(base_url=server.url, timeout=20) as client:
        job = client.post("/api/jobs?filename=x.mp4", content=clip.read_bytes()).json()
        for _ in range(2):
            empty = client.get(f"/api/jobs/{job['id']}/export.srt")
            assert (empty.status_code, empty.content) == (200, b"")
            assert empty.headers["Content-Length"] == "0"
        client.delete(f"/api/jobs/{job['id']}").raise_for_status()


def test_a_stream_of_events_flows_at_once(server: Server, clip: Path) -> None:
    job = httpx.post(
        f"{server.url}/api/jobs?filename=x.mp4", content=clip.read_bytes(), timeout=60
    ).json()
    with httpx.stream("GET", server.url + job["links"]["events"], timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        assert next(line for line in lines if line.startswith("event:")) == "event: job"
    httpx.delete(f"{server.url}/api/jobs/{job['id']}")


@pytest.mark.slow
def test_a_large_upload_needs_little_memory(server: Server) -> None:
    """A file of 600 MB that is no video: received, refused, gone; the process stays small."""
    size, piece = 600_000_000, bytes(1_000_000)
    (child,) = psutil.Process(server.pid).children()
    most = 0

    def body() -> Iterator[bytes]:
        nonlocal most
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.mp4"\r\n\r\n'
        for _ in range(size // len(piece)):
            most = max(most, child.memory_info().rss)
            yield piece
        yield b"\r\n--b--\r\n"

    form = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = httpx.post(f"{server.url}/api/jobs", content=body(), headers=form, timeout=120)
    assert re.fullmatch("bad-file|unsupported|no-video", answer.json()["error"]["kind"])
    assert most < 200_000_000
    assert_nothing_is_left(server)


def test_a_range_is_read_from_where_it_begins(server: Server, clip: Path) -> None:
    """The server's own wrapper of files begins at their start: a seek would read all before it."""
    job = httpx.post(
        f"{server.url}/api/jobs", params={"filename": "x.mp4"}, content=clip.read_bytes()
    ).json()
    size = 2**30
    os.truncate(server.media.root / server.media.video(job["video"]["id"]), size)
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()

    def read() -> int:
        return sum(int(Path(f"/proc/{child}/io").read_text().split()[1]) for child in children)

    before = read()
    asked = {"Range": f"bytes={size - 1000}-{size - 1}"}
    answer = httpx.get(f"{server.url}{job['video']['url']}", headers=asked)
    assert (answer.status_code, len(answer.content)) == (206, 1000)
    assert read() - before < 2**24


def test_half_an_upload_goes_when_another_process_starts_in_place_of_the_killed(
    tmp_path: Path, shared_broker_url: str
) -> None:
    """No sweep runs here: on a machine of its own a web server has none."""
    with running_server(tmp_path, {"REDIS_URL": shared_broker_url}) as server:
        incoming = server.media.root / "incoming"
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head("/api/jobs?filename=x.mp4", "Content-Length: 1000") + b"half")
            wait_for(lambda: incoming.is_dir() and list(incoming.iterdir()), "the half")
            for child in psutil.Process(server.pid).children():
                child.kill()
            wait_for(lambda: not list(incoming.iterdir()), "the next process")
