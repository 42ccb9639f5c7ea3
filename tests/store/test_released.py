"""A store of every schema there has been comes up to this one, and its jobs are read and go on."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import MetaData, select

from migrations import revisions, upgrade
from models import jobs
from models.media import Media
from models.segments import list_segments
from models.store import Store
from models.tables import Chunk, Job, JobState
from settings import Settings
from tests.broker import running_broker
from tests.conftest import open_store
from tests.exports.documents import NO_COMMENTS
from tests.store.released import FOLDER, MAKE, dump_of
from tests.store.test_migrations import differences
from tests.web.commenting import comment_windows
from tests.web.conftest import ReadingClient, site_of
from web import create_app
from worker.sweep import Sweep

RELEASED = sorted({path.name.partition(".")[0] for path in FOLDER.glob("*.sql")})
# No version ended with these.
NEVER_ALONE = {"0004", "0005", "0006", "0007", "0009", "0010", "0013", "0015"}
CURRENT_ROWS = {"done.mp4": "done", "cancelled.mp4": "cancelled", "open.mp4": "running"}


def test_every_revision_has_its_dumps() -> None:
    alone = [revision for revision in revisions() if revision not in NEVER_ALONE]
    wanted = {dump_of(revision, kind) for revision in alone for kind in ("sqlite", "postgres")}
    missing = sorted(path.name for path in wanted - set(FOLDER.glob("*.sql")))
    assert not missing, f"{', '.join(missing)}: keep a database of the new schema: {MAKE}"
    left = sorted(path.name for path in set(FOLDER.glob("*.sql")) - wanted)
    assert not left, f"{', '.join(left)}: no migration makes this revision any more"


@pytest.fixture(params=RELEASED)
def released(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Store]:
    """Yield a store as a version of ours left it; it is killed in the middle of a job."""
    load_dump(empty_database_url, request.param)
    store = open_store(empty_database_url)
    yield store
    store.engine.dispose()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_broker(tmp_path_factory.mktemp("broker")) as url:
        yield url


def load_dump(url: str, revision: str) -> None:
    if url.startswith("sqlite:///"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            file.executescript(dump_of(revision, "sqlite").read_text())
        file.close()
    else:
        with psycopg.connect(url) as server:
            server.execute(dump_of(revision, "postgres").read_bytes())


@pytest.mark.parametrize("revision", RELEASED)
def test_a_dump_is_what_its_migration_still_makes(revision: str, tmp_path: Path) -> None:
    """A migration that is changed after its release would leave those who have it behind."""
    load_dump(f"sqlite:///{tmp_path / 'kept.db'}", revision)
    kept, fresh = (open_store(f"sqlite:///{tmp_path / name}") for name in ("kept.db", "fresh.db"))
    upgrade(fresh, revision)
    assert columns(kept) == columns(fresh), f"if {revision} is not released yet: {MAKE}"
    for store in (kept, fresh):
        store.engine.dispose()


def columns(store: Store) -> set[tuple[str, str, str, bool]]:
    found = MetaData()
    found.reflect(store.engine)
    return {
        (table.name, column.name, str(column.type), bool(column.nullable))
        for table in found.tables.values()
        for column in table.columns
    }


def test_its_rows_come_through_and_its_jobs_go_on(
    released: Store, broker: str, tmp_path: Path
) -> None:
    before = said(released)
    assert before
    upgrade(released)
    upgrade(released)  # once more is nothing
    assert differences(released) == []
    assert said(released) == before
    with released.read() as session:
        rows = session.execute(select(Job.filename, Job.was_done))
        was_done = {name: done for name, done in rows}  # noqa: C416 (a row is no pair to mypy)
    assert was_done == {name: state == "done" for name, state in CURRENT_ROWS.items()}

    app = create_app(Settings(data_dir=tmp_path, database_url=str_url(released), redis_url=broker))
    app.test_client_class = ReadingClient
    client, site = app.test_client(), site_of(app)
    by_name = {job["filename"]: job for job in client.get("/api/jobs").get_json()["jobs"]}
    assert {name: job["state"] for name, job in by_name.items()} == CURRENT_ROWS
    done = by_name["done.mp4"]
    texts = [text for job, _, text in before if job == done["id"] and text]
    assert texts
    for name, path in done["links"]["exports"].items():
        if name in NO_COMMENTS:
            continue
        export = client.get(path).text
        assert all(text[:12] in export for text in texts)
    assert client.post(f"/api/jobs/{by_name['cancelled.mp4']['id']}/retry").status_code == 200

    Sweep(released, site.celery, site.media, 64).lost_work()  # the killed worker's leases
    for name in ("open.mp4", "cancelled.mp4"):
        finish(released, site.media, by_name[name]["id"])
    assert before <= said(released)
    site.store.engine.dispose()


def finish(store: Store, media: Media, job_id: str) -> None:
    """Comment what is missing; every window then has its segment, once."""
    comment_windows(store, media, job_id, 10_000)
    with store.read() as session:
        job = jobs.get_job(session, job_id)
        indexes = [row.index for row in list_segments(session, job_id, limit=10_000)]
        owned = session.scalars(select(Chunk.owner).where(Chunk.job_id == job_id)).all()
    assert (job.state, indexes) == (JobState.DONE, list(range(job.window_count)))
    assert set(owned) == {None}


def said(store: Store) -> set[tuple[str, int, str]]:
    """Return what was said, by any version: job, window, text."""
    old = MetaData()
    old.reflect(store.engine)
    table = old.tables["segments"]
    with store.engine.connect() as connection:
        rows = connection.execute(select(table.c.job_id, table.c["index"], table.c.text))
        return {(job_id, index, text) for job_id, index, text in rows}


def str_url(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False)
