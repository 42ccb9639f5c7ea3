"""The client on a real server, and on one that answers as bad servers do."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from client import BadAddress, Client, ClientError, Refused, Unreachable
from submission import Origin, Wish, submit_files, write_exports
from tests.web.clips import write_clip
from tests.web.commenting import comment_windows
from tests.web.line import Line
from tests.web.receiver import running_receiver
from tests.web.server import Server, running_server
from web.shapes.jobs import JobShape


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared_broker_url: str) -> Iterator[Server]:
    env = {"REDIS_URL": shared_broker_url, "WEBHOOK_HOSTS": "127.0.0.1", "CHUNK_WINDOWS": "1"}
    with running_server(tmp_path_factory.mktemp("client"), env) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "bars.mp4")


def test_it_waits_until_a_job_has_ended(client: Client, server: Server, clip: Path) -> None:
    job = client.submit(clip, {})
    seen: list[int] = []
    answers: list[JobShape] = []
    waiter = threading.Thread(
        target=lambda: answers.append(
            client.wait(job["id"], lambda now: seen.append(now["windows_done"]))
        ),
        daemon=True,  # it would wait for ever for a job that isn't commented
    )
    waiter.start()
    comment_windows(server.store, server.media, job["id"], 10_000)
    waiter.join(60)
    assert not waiter.is_alive()
    (ended,) = answers
    assert ended["state"] == "done"
    assert seen[-1] == job["windows_total"]
    assert len(client.segments(job["id"])["segments"]) == job["windows_total"]
    events = [event.name for event in client.events(job["id"])]
    assert events[0] == "segments"
    assert events[-1] == "job"
    assert client.export(job["id"], "srt").startswith("1\n")


def test_its_calls_reach_their_addresses(client: Client, clip: Path) -> None:
    with running_receiver() as receiver:
        hook = client.add_webhook(receiver.url, ["job.cancelled"])
    key = "mine"
    job = client.submit(clip, {}, key=key)
    assert client.submit(clip, {}, key=key) == job
    again = client.run(job["id"], {"capture_fps": "1"})
    assert again["source_id"] == job["id"]
    assert {one["id"] for one in client.all_jobs(state="queued")} >= {job["id"], again["id"]}
    assert client.batch("cancel", [job["id"], again["id"]])["done"] == 2
    (first, second) = client.deliveries(hook["id"])["deliveries"]
    assert {first["job"], second["job"]} == {job["id"], again["id"]}
    assert client.redeliver(hook["id"], first["id"])["state"] == "waiting"
    assert client.rotate_secret(hook["id"])["secret"] != hook["secret"]
    assert client.change_webhook(hook["id"], enabled=False)["enabled"] is False
    client.delete_webhook(hook["id"])
    assert client.webhooks()["webhooks"] == []
    client.delete(job["id"])
    with pytest.raises(Refused) as refused:
        client.wait(job["id"])
    assert (refused.value.kind, refused.value.status) == ("not-found", 404)


def test_waiting_outlives_a_server_that_is_away(client: Client, server: Server, clip: Path) -> None:
    job_id = client.submit(clip, {})["id"]
    client.change(job_id, "cancel")
    lost: list[ClientError] = []
    with socket.socket() as listener:  # nobody listens yet
        listener.bind(("127.0.0.1", 0))
        line = Line(server.port, listener)

        def come_back(error: ClientError) -> None:
            lost.append(error)
            listener.listen()
            threading.Thread(target=line.run, daemon=True).start()

        with Client(line.url) as far:
            assert far.wait(job_id, lost=come_back)["state"] == "cancelled"
        listener.shutdown(socket.SHUT_RDWR)
        line.cut()
    assert len(lost) == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8000",
        "localhost:8000",
        "",
        "http://",
        "http://[::1",
        "http://h:99999",
        "http://xn--",
    ],
)
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(BadAddress, match="no server's address"):
        Client(address)


def test_an_id_that_is_none_is_told_as_one_that_is_gone() -> None:
    with Client("http://127.0.0.1:9") as client:
        for ask in (client.job, client.fetch_state, client.rotate_secret):
            with pytest.raises(Refused, match=r"There is no .* 'x'; it may have been deleted"):
                ask("x")


def test_nobody_there_is_told_at_once_and_waited_for_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("client.PATIENCE_S", 0.1)
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(Unreachable):
            client.job("a" * 16)
        with pytest.raises(Unreachable, match="Given up after"):
            client.wait("a" * 16)


@contextmanager
def troubled(
    *answers: int | None, under_way: int = 0, missing: int = 0
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the address of a server that answers so, None: not at all, and the headers it was sent.

    A 429, and a 409 where it is `under_way`, come with Retry-After. Of each body so many bytes are missing.
    """
    left, came = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            came.append({name.lower(): value for name, value in self.headers.items()})
            status = left.pop(0)
            if status is None:
                self.close_connection = True
                return
            body = b'{"id": "x", "error": {"kind": "too-many", "message": "Wait."}}'
            self.send_response(status)
            if status in (429, under_way):
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - missing])
            self.close_connection = missing > 0

        do_GET = do_DELETE = do_POST

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_lost_answer_is_asked_for_again_under_the_same_key(clip: Path) -> None:
    told: list[int] = []
    with troubled(None, 503, 201) as (url, came), Client(url) as client:
        client.submit(clip, {}, told.append)
    assert len(came) == 3
    assert len({headers["idempotency-key"] for headers in came}) == 1
    assert sum(told) == clip.stat().st_size


def test_a_file_that_grows_is_sent_as_it_was_and_one_that_shrinks_is_told(tmp_path: Path) -> None:
    recording = tmp_path / "recording.ts"
    recording.write_bytes(b"x" * 200_000)
    told: list[int] = []

    def grow(sent: int) -> None:
        told.append(sent)
        with recording.open("ab") as file:
            file.write(b"y" * 1000)

    with troubled(201, 201) as (url, _), Client(url) as client:
        client.submit(recording, {}, grow)
        assert sum(told) == 200_000
        with pytest.raises(OSError, match="shorter while it was sent"):
            client.submit(recording, {}, lambda _: os.truncate(recording, 1000))


def test_what_is_under_way_after_a_lost_answer_is_asked_for_until_it_is_there(clip: Path) -> None:
    with troubled(None, *[409] * 5, 201, under_way=409) as (url, came), Client(url) as client:
        client.submit(clip, {})
    assert len({headers["idempotency-key"] for headers in came}) == 1
    assert len(came) == 7


def test_another_conflict_is_told_at_once(clip: Path) -> None:
    with troubled(409, 201) as (url, came), Client(url) as client:
        with pytest.raises(Refused):
            client.submit(clip, {})
        assert len(came) == 1


def test_a_deletion_whose_answer_got_lost_is_done() -> None:
    with troubled(None, 404, 404) as (url, came), Client(url) as client:
        client.delete("a" * 16)
        assert len(came) == 2
        with pytest.raises(Refused):
            client.delete("a" * 16)


def test_it_waits_as_long_as_it_is_told(clip: Path) -> None:
    with troubled(429, 429, 200) as (url, came), Client(url) as client:
        client.job("a" * 16)
    assert len(came) == 3


def test_what_might_be_done_twice_is_not_sent_again() -> None:
    with troubled(None, 200) as (url, came), Client(url) as client:
        with pytest.raises(Unreachable):
            client.change("a" * 16, "cancel")
        assert len(came) == 1


def test_it_gives_up_after_a_few_tries() -> None:
    with (
        troubled(429, 429, 429, 429, 200) as (url, came),
        Client(url) as client,
        pytest.raises(Refused),
    ):
        client.job("a" * 16)
    assert len(came) == 4


def test_a_file_that_vanished_or_a_job_deleted_meanwhile_does_not_stop_the_others(
    server: Server,
    client: Client,
    clip: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    files = [tmp_path / "gone.mp4", tmp_path / f"{'映' * 80}.mp4"]
    for file in files:
        file.write_bytes(clip.read_bytes())
    wish = Wish({}, {"txt": f"{tmp_path}/new/results/"}, wait=True)
    vanished = Origin("file", str(tmp_path / "vanished.mp4"))
    statuses: list[int] = []
    names = {file.name for file in files}
    origins = [vanished, *(Origin("file", str(file)) for file in files)]
    runner = threading.Thread(
        target=lambda: statuses.append(submit_files(client, origins, wish)), daemon=True
    )
    runner.start()
    with Client(server.url) as other:
        while (
            len(jobs := [job for job in other.all_jobs(state="queued") if job["filename"] in names])
            < 2
        ):
            assert runner.is_alive(), "it ended before it had submitted both"
            runner.join(0.1)
        for job in jobs:
            if job["filename"] == "gone.mp4":
                other.delete(job["id"])
            else:
                comment_windows(server.store, server.media, job["id"], 10_000)
                kept = job["id"]
    runner.join(60)
    assert statuses == [1]
    assert "1 done, 1 refused, 1 unreadable" in capfd.readouterr().err
    (written,) = (tmp_path / "new" / "results").iterdir()
    assert written.name.startswith("映" * 70)
    assert written.name.endswith(f"-{kept}.txt")


def test_a_file_that_cannot_be_written_does_not_stop_the_others(
    client: Client, clip: Path, tmp_path: Path
) -> None:
    job = client.submit(clip, {})
    outputs = {"json": "/dev/full", "csv": str(tmp_path / "o.csv")}
    assert write_exports(client, job, outputs, alone=True) == 1
    assert (tmp_path / "o.csv").is_file()
    client.delete(job["id"])


def test_an_export_that_breaks_off_leaves_the_earlier_file(tmp_path: Path) -> None:
    earlier, link = tmp_path / "earlier.srt", tmp_path / "link.srt"
    earlier.write_text("earlier")
    earlier.chmod(0o640)
    link.symlink_to(earlier)
    job: Any = {"id": "a" * 16, "links": {"renders": {}}}
    with (
        troubled(200, missing=1) as (url, _),
        Client(url) as client,
        pytest.raises(Unreachable),
    ):
        write_exports(client, job, {"srt": str(link)}, alone=True)
    assert earlier.read_text() == "earlier"
    with troubled(200) as (url, _), Client(url) as client:
        assert write_exports(client, job, {"srt": str(link)}, alone=True) == 0
    assert earlier.read_text().startswith("{")
    assert earlier.stat().st_mode & 0o777 == 0o640
    assert {*tmp_path.iterdir()} == {earlier, link}


def test_a_render_that_is_refused_does_not_stop_the_others() -> None:
    job: Any = {"id": "a" * 16, "links": {"renders": {"m4a": "", "wav": ""}}}
    with troubled(404, 404) as (url, came), Client(url) as client:
        assert write_exports(client, job, {"m4a": "-", "wav": "-"}, alone=True) == 1
    assert len(came) == 2


def test_the_documented_example_runs(
    server: Server, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    source = next(part for part in page.split("```python\n") if "client.submit" in part)
    example = source.partition("```")[0].replace("http://127.0.0.1:8000", server.url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.mp4").write_bytes(clip.read_bytes())
    runner = threading.Thread(target=exec, args=(example, {}))
    runner.start()
    with Client(server.url) as client:
        while not (waiting := client.jobs(1, filename="talk")["jobs"]):
            assert runner.is_alive(), "the example ended before it had submitted anything"
            runner.join(0.1)
        comment_windows(server.store, server.media, waiting[0]["id"], 10_000)
    runner.join(60)
    assert (tmp_path / "talk.srt").read_text().startswith("1\n")
