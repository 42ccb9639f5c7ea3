"""Makes the dumps of the newest schema: `python -m tests.store.released`, after a migration was added.

The rows are real: `serve` comments the sample clip, has one job cancelled, and is killed while it works
on another. An argument names a checkout of an older version whose schema is to be kept instead. Needs
pg_dump and a Postgres, of which the tests find their own.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from sqlalchemy import MetaData

from migrations import is_compared, upgrade
from models.store import Store
from serve.running import find
from tests.conftest import open_store
from tests.postgres import find_binaries, fresh_database, postgres_server
from tests.store.released import dump_of

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "bikes.mp4"
MANY_WINDOWS = {"window_hop": "1", "frame_stride": "1", "frames_per_inference": "1"}


def main() -> None:
    checkout = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    with tempfile.TemporaryDirectory(prefix="released") as folder:
        data_dir = Path(folder)
        _make_rows(checkout, data_dir)
        database = data_dir / "reelnotes.db"
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            text = _as_sqlite(connection)
        dump_of(revision, "sqlite").write_text(text)
        dump_of(revision, "postgres").write_text(_as_postgres(database, revision))
        print(f"wrote the dumps of {revision}")


def _make_rows(checkout: Path, data_dir: Path) -> None:
    """Run a version until it has a job that is done, one cancelled and one under way; kill it."""
    (data_dir / "welcomed").touch()
    own = {"DATA_DIR": str(data_dir), "WEB_PORT": "0", "CHUNK_WINDOWS": "4", "DATABASE_URL": ""}
    run = (sys.executable, "-m", "cli")
    server = subprocess.Popen((*run, "serve"), cwd=checkout, env={**os.environ, **own})
    try:
        while not (running := find(data_dir)):
            time.sleep(0.1)
        subprocess.run((*run, "token", "add", "nightly"), cwd=checkout, env={**os.environ, **own})
        with httpx.Client(base_url=running.url) as client:
            _wait(client, _submit(client, "done.mp4"), windows=10**6)
            unwanted = _submit(client, "cancelled.mp4", **MANY_WINDOWS)
            _wait(client, unwanted, windows=2)
            client.post(f"/api/jobs/{unwanted}/cancel").raise_for_status()
            _wait(client, _submit(client, "open.mp4", **MANY_WINDOWS), windows=6)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        time.sleep(2)  # its guard ends the others


def _submit(client: httpx.Client, filename: str, **parameters: str) -> str:
    query = {"filename": filename, **parameters}
    job = client.post("/api/jobs", params=query, content=SAMPLE.read_bytes(), timeout=60).json()
    return str(job["id"])


def _wait(client: httpx.Client, job_id: str, windows: int) -> None:
    while (job := client.get(f"/api/jobs/{job_id}").json())["state"] in ("queued", "running"):
        if job["windows_done"] >= windows:
            return
        time.sleep(0.05)
    assert job["state"] == "done", job


def _as_sqlite(connection: sqlite3.Connection) -> str:
    """Return statements that make the file anew. Those of iterdump() can't be read back with a text index."""
    kinds = {name: kind for _, name, kind, *_ in connection.execute("PRAGMA table_list")}
    made = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    tables, others, indexes = [], [], []
    for kind, name, sql in made.fetchall():
        if name.startswith("sqlite_") or kinds.get(name) == "shadow":
            continue
        if kinds.get(name) == "virtual":
            indexes += [f"{sql};", f"INSERT INTO {name} ({name}) VALUES ('rebuild');"]
        elif kind == "table":
            tables += [f"{sql};", *_inserts(connection, name)]
        else:
            others.append((kind != "view", f"{sql};"))
    views = [sql for later, sql in others if not later]
    return "\n".join([*tables, *views, *indexes, *(sql for later, sql in others if later)]) + "\n"


def _inserts(connection: sqlite3.Connection, table: str) -> list[str]:
    columns = [
        f'quote("{name}")' for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")
    ]
    values = " || ',' || ".join(columns)
    rows = connection.execute(f"SELECT {values} FROM {table}").fetchall()
    return [f"INSERT INTO {table} VALUES ({row});" for (row,) in rows]


def _as_postgres(database: Path, revision: str) -> str:
    """Return pg_dump's text of the same rows in a Postgres of that revision."""
    found = find_binaries()
    pg_dump = shutil.which("pg_dump") or (found and found / "pg_dump")
    assert pg_dump, "pg_dump is needed: install Postgres"
    with postgres_server() as server:
        assert server, "Postgres is needed"
        with fresh_database(server) as url:
            _copy(f"sqlite:///{database}", url, revision)
            options = ("--inserts", "--no-owner", "--no-privileges", "--no-comments")
            dump = subprocess.run((pg_dump, *options, url), check=True, capture_output=True)
    lines = dump.stdout.decode().splitlines()
    plain = [line for line in lines if line and not line.startswith(("\\", "--", "SET "))]
    return "\n".join(plain) + "\n"


def _copy(source_url: str, target_url: str, revision: str) -> None:
    source, target = open_store(source_url), open_store(target_url)
    upgrade(target, revision)
    tables, theirs = _tables(source), _tables(target)
    with source.engine.connect() as reading, target.engine.begin() as writing:
        for table in tables.sorted_tables:  # the text index fills itself
            rows = [dict(row) for row in reading.execute(table.select()).mappings()]
            if rows and table.name != "alembic_version" and is_compared(table.name, "table", None):
                writing.execute(theirs.tables[table.name].insert(), rows)
        writing.exec_driver_sql("SELECT setval('chunks_id_seq', (SELECT max(id) FROM chunks))")
    source.engine.dispose()
    target.engine.dispose()


def _tables(store: Store) -> MetaData:
    found = MetaData()
    found.reflect(store.engine)
    return found


main()
