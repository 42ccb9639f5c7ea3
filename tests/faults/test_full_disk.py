"""A disk that fills up while it is written to: everything on one small file system, really full.

Whatever asks for room is refused with kind and sentence and leaves nothing half written; who can wait
does; and all of it goes on when there is room again, though nobody starts anything anew.
"""

import io
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from client import Client, Refused
from migrations import upgrade
from models.store import Store
from models.tables import JobState
from settings import Settings
from tests.conftest import NO_POSTGRES
from tests.faults.disk import Disk, small_disk
from tests.faults.inspection import faults_of
from tests.faults.installation import Installation, running_installation
from tests.faults.servers import running_postgres
from tests.faults.troubled import GATE, write_script
from tests.journey.stack import ROOT
from tests.packaging.processes import wait_for
from tests.web.conftest import site_of
from tests.web.long_job import write_long_clip
from web import create_app

FULL = (507, "disk-full")
FRAME_OF_A_FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.mp4"\r\n\r\n',
    b"\r\n--b--\r\n",
)


@dataclass(frozen=True)
class Place:
    disk: Disk
    installation: Installation
    gate: Path

    def client(self) -> Client:
        return self.installation.stack.client()

    def faults(self) -> list[str]:
        wait_for(lambda: not self.installation.held(), "the workers to let go")
        return faults_of(self.installation.store, self.installation.media, {})

    def incoming(self) -> list[Path]:
        return list((self.installation.media.root / "incoming").iterdir())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("full-disk")
    gate = folder / "gate"
    with (
        small_disk(folder / "disk") as disk,
        running_installation(
            "sqlite",
            disk.path,
            module="tests.faults.troubled",
            CHUNK_WINDOWS="4",
            WORKER_THREADS="3",
            LEASE_SECONDS="3",
            **{GATE: str(gate)},
        ) as installation,
    ):
        assert installation
        yield Place(disk, installation, gate)


@pytest.fixture
def disk(place: Place) -> Iterator[Disk]:
    yield place.disk
    place.disk.make_room()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_script(tmp_path_factory.mktemp("clips") / "clip.mp4", *["calm"] * 6)


def refusal_of(answer: httpx.Response) -> tuple[int, str]:
    error = json.loads(answer.text)["error"]
    assert "disk" in error["message"]
    assert "make room" in error["message"]
    return answer.status_code, error["kind"]


def pieces_of(content: bytes, disk: Disk) -> Iterator[bytes]:
    """Yield a body that fills the disk when half of it has gone."""
    half = len(content) // 2
    yield content[:half]
    time.sleep(0.5)  # until it has arrived
    disk.fill()
    yield content[half:]


@pytest.mark.parametrize("as_form", [False, True], ids=["bare", "form"])
def test_an_upload_for_which_the_room_runs_out_is_refused_and_leaves_nothing(
    place: Place, disk: Disk, clip: Path, as_form: bool
) -> None:
    content = clip.read_bytes() + bytes(3_000_000)
    body, headers = content, {}
    if as_form:
        body = FRAME_OF_A_FORM[0] + content + FRAME_OF_A_FORM[1]
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = httpx.post(
        f"{place.installation.stack.url}/api/jobs",
        params={"filename": "x.mp4"},
        content=pieces_of(body, disk),
        headers={**headers, "Content-Length": str(len(body))},
        timeout=60,
    )
    assert refusal_of(answer) == FULL
    assert place.incoming() == []
    with place.client() as client, pytest.raises(Refused) as unread:  # before a byte of it
        client.submit(clip, {})
    assert unread.value.kind == "disk-full"
    disk.make_room()
    with place.client() as client:
        assert place.installation.stack.wait_until_ended(client.submit(clip, {})["id"]) == "done"
    assert place.faults() == []


class FillsTheDisk(io.BytesIO):
    """A body at whose end there is room for what was read last, and for a little besides."""

    def __init__(self, content: bytes, disk: Disk, spare_bytes: int) -> None:
        super().__init__(content)
        self._disk = disk
        self._spare_bytes = spare_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self._look(len(piece))
        return piece

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer)
        self._look(count)
        return count

    def _look(self, count: int) -> None:
        if count and self.tell() == len(self.getbuffer()):
            self._disk.leave(count + self._spare_bytes)


@pytest.mark.parametrize("spare_bytes", [0, 2**15], ids=["before", "after its move"])
def test_an_upload_whose_rows_find_no_room_leaves_no_file(
    clip: Path, tmp_path: Path, spare_bytes: int
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        settings = Settings(data_dir=disk.path, redis_url="redis://127.0.0.1:1/0")
        store = Store.open(settings.store_url)
        upgrade(store)
        with store.engine.connect() as connection:  # nothing left over from the migrations
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        app = create_app(settings)
        client, media = app.test_client(), site_of(app).media

        def send(body: io.BytesIO) -> Any:
            size = clip.stat().st_size
            return client.post("/api/jobs?filename=x.mp4", input_stream=body, content_length=size)

        answer = send(FillsTheDisk(clip.read_bytes(), disk, spare_bytes))
        assert (answer.status_code, answer.get_json()["error"]["kind"]) == FULL
        assert faults_of(store, media, {}) == []
        assert (media.root / "videos").exists() == (spare_bytes > 0)  # it lay there
        assert media.stored_videos() == set()
        disk.make_room()
        job_id = send(io.BytesIO(clip.read_bytes())).get_json()["id"]
        assert faults_of(store, media, {job_id: JobState.QUEUED}) == []
        store.engine.dispose()
        site_of(app).store.engine.dispose()


@contextmanager
def public_folder() -> Iterator[Path]:
    """Yield a folder into which others may go: Postgres doesn't run as root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def test_a_store_on_postgres_without_room_refuses_and_takes_nothing(
    clip: Path, tmp_path: Path
) -> None:
    with (
        public_folder() as folder,
        small_disk(folder / "disk") as disk,
        running_postgres(disk.path) as postgres,
    ):
        if postgres is None:
            pytest.skip(NO_POSTGRES)
        settings = Settings(
            data_dir=tmp_path / "data",
            database_url=postgres.url,
            redis_url="redis://127.0.0.1:1/0",
            chunk_windows=1,  # so that a job of ten hours has more rows than pages have room
        )
        store = Store.open(settings.store_url)
        upgrade(store)
        # The log's next 16 MB are there already: it is the tables that find no room.
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SELECT pg_switch_wal()")
            connection.exec_driver_sql("CREATE TABLE begins_the_log (one integer)")
        app = create_app(settings)
        client, media = app.test_client(), site_of(app).media
        long_clip = write_long_clip(tmp_path / "long.mp4")

        def send(clip: Path) -> Any:
            return client.post(f"/api/jobs?filename={clip.name}", data=clip.read_bytes())

        first = send(clip).get_json()  # a table has room for as small a job as it
        disk.fill()
        answer = send(long_clip)
        assert (answer.status_code, answer.get_json()["error"]["kind"]) == FULL
        assert faults_of(store, media, {first["id"]: JobState.QUEUED}) == []
        assert media.stored_videos() == {first["video"]["id"]}
        disk.make_room()
        jobs = [first, send(long_clip).get_json()]
        assert faults_of(store, media, {job["id"]: JobState.QUEUED for job in jobs}) == []
        store.engine.dispose()
        site_of(app).store.engine.dispose()


def test_windows_wait_for_room_and_are_stored_once(
    place: Place, disk: Disk, tmp_path: Path
) -> None:
    """Their pictures too. Meanwhile the broker can't keep its queue either."""
    clip = write_script(tmp_path / "waits.mp4", *["calm", "waits", "calm", "calm"] * 2)
    before_it = running(place)
    log = place.installation.stack.log
    place.gate.touch()
    with place.client() as client:
        job_id = client.submit(clip, {})["id"]
        wait_for(lambda: client.segments(job_id)["writing"], "a window at the gate")
        before = client.segments(job_id)["segments"]
        disk.fill()
        place.gate.unlink()
        for wish in ("pause", "cancel"):
            with pytest.raises(Refused, match=r"disk is full.*make room") as refused:
                client.change(job_id, wish)
            assert refused.value.kind == "disk-full"
        wait_for(lambda: count(log, "step waits for the store") > 4, "longer than the patience")
        wait_for(lambda: refuses(place.installation.broker_url), "the broker's complaint")
        assert client.segments(job_id)["segments"] == before  # what was stored can be read
        disk.make_room()
        assert place.installation.stack.wait_until_ended(job_id) == "done"
    assert count(log, "the sweep brings the work back") == 0  # nothing that was said was given up
    assert running(place) == before_it  # an idle thread has heard the broker's refusal too
    assert place.faults() == []


def refuses(broker_url: str) -> bool:
    """Give the broker something to keep; tell whether it has noticed that it can't."""
    with redis.Redis.from_url(broker_url) as client:
        try:
            client.set("kept", "nowhere")
        except redis.ResponseError:
            return True
    return False


def running(place: Place) -> set[int]:
    programs = ("web", "worker", "beat", "broker")
    return {process.pid for name in programs for process in place.installation.processes(name)}


def count(log: list[str], words: str) -> int:
    return sum(words in line for line in list(log))


def test_an_export_for_which_there_is_no_room_is_refused_and_comes_whole_later(
    place: Place, disk: Disk, tmp_path: Path
) -> None:
    clip = write_script(tmp_path / "long.mp4", *["calm"] * 60)
    with place.client() as client:
        job_id = client.submit(clip, {})["id"]
        assert place.installation.stack.wait_until_ended(job_id) == "done"
        whole = client.export(job_id, "srt")
        disk.fill()
        with pytest.raises(Refused, match=r"disk is full.*make room") as refused:
            client.export(job_id, "json")
        assert refused.value.kind == "disk-full"
        disk.make_room()
        assert client.export(job_id, "srt") == whole
        assert len(json.loads(client.export(job_id, "json"))["segments"]) == 60


def test_a_job_can_be_deleted_to_make_room(place: Place, disk: Disk) -> None:
    with place.client() as client:
        job_id = client.submit(ROOT / "samples" / "bikes.mp4", {})["id"]
        assert place.installation.stack.wait_until_ended(job_id) == "done"
        wait_for(lambda: not place.installation.held(), "the workers to let go")
        disk.fill()
        client.delete(job_id)
        with pytest.raises(Refused, match="no job"):
            client.job(job_id)
    disk.make_room()
    assert place.faults() == []
