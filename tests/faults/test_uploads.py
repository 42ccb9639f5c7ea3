"""A web process that ends, or is taken for dead, in the middle of an upload leaves no file behind and loses none."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import select, update

from models.hints import connect
from models.owners import is_gone
from models.tables import Job, Upload
from tests.faults.installation import Installation
from tests.faults.troubled import write_script
from tests.packaging.processes import wait_for
from worker.sweep import Sweep

BEFORE_INSERT = "CREATE TRIGGER waits BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION waits()"
BEFORE_COMMIT = (
    "CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON jobs DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION waits()"
)


@pytest.fixture(autouse=True)
def _at_rest(installation: Installation) -> None:
    """Wait until a new installation's sample has been commented."""
    wait_for(installation.count_jobs, "the sample's job")
    installation.wait_until_settled()


@pytest.fixture
def clip(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a clip whose content is the test's own."""
    clip = write_script(tmp_path / "clip.mp4", "calm")
    name = request.node.name.encode()
    clip.write_bytes(clip.read_bytes() + (len(name) + 8).to_bytes(4) + b"free" + name)
    return clip


@contextmanager
def store_that_waits(installation: Installation, trigger: str) -> Iterator[Callable[[], None]]:
    """Let whoever inserts a job wait in the middle of that; yield how to let it go on.

    On SQLite it has the only lock there is, and goes on when it is killed.
    """
    if installation.postgres is None:
        with slow_file(installation.stack.data_dir / "reelnotes.db"):
            yield lambda: None
        return
    url = installation.postgres.url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$"
        )
        connection.execute(trigger)
    lock = psycopg.connect(url, autocommit=True)
    lock.execute("SELECT pg_advisory_lock(1)")
    try:
        yield lock.close
    finally:
        lock.close()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TRIGGER waits ON jobs")


@contextmanager
def slow_file(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as file:
        file.execute("CREATE TABLE many (one INTEGER)")
        file.executemany("INSERT INTO many VALUES (?)", [(1,)] * 3000)
        file.execute(
            "CREATE TRIGGER waits BEFORE INSERT ON jobs "
            "BEGIN SELECT count(*) FROM many AS a, many AS b, many AS c; END"
        )
        try:
            yield
        finally:
            file.execute("DROP TRIGGER waits")
            file.execute("DROP TABLE many")


@contextmanager
def sending(installation: Installation, clip: Path) -> Iterator[Future[httpx.Response]]:
    """Send a file in one request; go on when it lies among the videos, without a row."""
    before = installation.media.stored_videos()
    url = f"{installation.stack.url}/api/jobs?filename=x.mp4"
    with ThreadPoolExecutor(1) as others:
        answer = others.submit(httpx.post, url, content=clip.read_bytes(), timeout=60)
        wait_for(lambda: installation.media.stored_videos() - before, "the file among the videos")
        yield answer


def sweep(installation: Installation) -> None:
    Sweep(installation.store, connect(installation.broker_url), installation.media, 64).lost_work()


def test_a_kill_between_a_files_move_and_its_row_leaves_no_file(
    installation: Installation, clip: Path
) -> None:
    before = installation.media.stored_videos()
    with store_that_waits(installation, BEFORE_INSERT), sending(installation, clip) as answer:
        installation.stack.kill("web")
        assert isinstance(answer.exception(), httpx.TransportError)
        wait_for(lambda: installation.media.stored_videos() == before, "the sweep")
    installation.wait_until_settled()
    assert installation.faults() == []


def test_a_kill_while_the_store_is_away_leaves_no_file(
    installation: Installation, clip: Path
) -> None:
    if installation.postgres is None:
        pytest.skip("a file has no server that could be away")
    before = installation.media.stored_videos()
    with store_that_waits(installation, BEFORE_INSERT), sending(installation, clip) as answer:
        installation.postgres.server.kill()
        wait_for(lambda: any("upload waits" in line for line in installation.stack.log), "a look")
        installation.stack.kill("web")
        assert isinstance(answer.exception(), httpx.TransportError)
        installation.postgres.start()
    wait_for(lambda: installation.media.stored_videos() == before, "the sweep")
    installation.wait_until_settled()
    assert installation.faults() == []


def test_a_file_whose_row_is_being_committed_for_the_dead_stays(
    installation: Installation, clip: Path
) -> None:
    """The server knows nothing of its client's death, and does what that asked for last."""
    if installation.postgres is None:
        pytest.skip("a file has no server that outlives its client")
    before = installation.media.stored_videos()
    with store_that_waits(installation, BEFORE_COMMIT) as go_on, sending(installation, clip):
        wait_for(lambda: is_waiting(installation, "COMMIT"), "the commit")
        with installation.store.read() as session:
            holder = session.scalars(select(Upload.holder).where(Upload.holder.is_not(None))).one()
        installation.stack.kill("web")
        wait_for(lambda: is_gone(holder or ""), "its death")
        sweep(installation)
        (video_id,) = installation.media.stored_videos() - before
        go_on()
        wait_for(lambda: jobs_of(installation, video_id), "the job")
    installation.wait_until_settled()
    assert installation.faults() == []


def test_a_process_that_was_frozen_for_long_stores_its_file_when_it_wakes(
    installation: Installation, clip: Path
) -> None:
    if installation.postgres is None:
        pytest.skip("who is frozen with the only lock of a file keeps the sweep away, too")
    before = installation.media.stored_videos()
    with (
        store_that_waits(installation, BEFORE_INSERT) as go_on,
        sending(installation, clip) as answer,
    ):
        wait_for(lambda: is_waiting(installation, "INSERT INTO jobs"), "the row")
        web = installation.processes("web")
        with ExitStack() as frozen:
            for process in web:
                frozen.enter_context(installation.frozen(process))
            with installation.store.write() as session:  # as if it had been silent for a minute
                session.execute(update(Upload).values(until_ms=0))
            sweep(installation)
            assert installation.media.stored_videos() == before
            go_on()
        assert answer.result().status_code == 201
    installation.wait_until_settled()
    assert installation.faults() == []
    assert answer.result().json()["id"] in installation.done()


def is_waiting(installation: Installation, statement: str) -> bool:
    assert installation.postgres
    with psycopg.connect(installation.postgres.url) as connection:
        waiting = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return any(query.startswith(statement) for (query,) in connection.execute(waiting))


def jobs_of(installation: Installation, video_id: str) -> list[str]:
    with installation.store.read() as session:
        return list(session.scalars(select(Job.id).where(Job.video_id == video_id)))
