"""A backup made under a running worker comes up elsewhere, and its jobs go on where they were."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from backup import BackupFailed, back_up, copy_media, copy_store
from migrations import upgrade
from models import jobs
from models.errors import NotFound
from models.hints import connect
from models.ids import new_id
from models.media import folder_media
from models.store import Store
from models.tables import Job, Video
from models.videos import add_video
from settings import Settings
from tests.conftest import open_store
from tests.journey.footage import write_moving_square
from tests.journey.stack import ROOT, Stack, running_stack
from tests.packaging.processes import wait_for
from tests.postgres import fresh_database
from tests.store.rows import FACTS, default_parameters
from worker.sweep import Sweep

WINDOWS = 24
CHUNKS = {"CHUNK_WINDOWS": "4", "WORKER_THREADS": "2"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moving_square(tmp_path_factory.mktemp("footage") / "c.mp4", seconds=WINDOWS * 4)


def stored(stack: Stack, job_id: str) -> list[int]:
    with stack.client() as client:
        return [segment["index"] for segment in client.segments(job_id)["segments"]]


def run(*command: str | Path, **env: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_backup_under_a_running_worker_goes_on_elsewhere(
    kind: str, clip: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first, second = {}, {}
    if kind == "postgres":
        server = request.getfixturevalue("_postgres")
        if server is None or not shutil.which("pg_restore"):
            pytest.skip("needs Postgres and pg_restore")
        first, second = (fresh(server, request) for _ in range(2))
    copy = tmp_path / "copy"
    for folder in (tmp_path / "data", copy):
        folder.mkdir()
        (folder / "welcomed").touch()  # no sample beside the job
    with running_stack(tmp_path / "data", **CHUNKS, **first) as stack:
        with stack.client() as client:
            job_id = client.submit(clip, {})["id"]
        wait_for(lambda: len(stored(stack, job_id)) >= 5, "a job under way")
        url = first.get("DATABASE_URL", "")
        back_up(replace(Settings(), data_dir=tmp_path / "data", database_url=url), copy)
        assert stack.wait_until_ended(job_id) == "done"  # it did no harm
        assert stored(stack, job_id) == list(range(WINDOWS))
        command = (sys.executable, "-m", "cli", "backup", tmp_path / "later")
        assert "new files" in run(*command, DATA_DIR=str(tmp_path / "data"), **first)
    if kind == "postgres":
        run("pg_restore", "--no-owner", "--dbname", second["DATABASE_URL"], copy / "store.dump")
    data = restore_as_documented(copy, tmp_path / "restored")
    with running_stack(data, **CHUNKS, **second) as restored:
        assert restored.wait_until_ended(job_id) == "done"
        assert stored(restored, job_id) == list(range(WINDOWS))
        assert 0 < len([1 for job, *_ in restored.claims() if job == job_id]) <= WINDOWS // 4
        assert stored_video(data) == sha256(clip.read_bytes()).hexdigest()


def restore_as_documented(copy: Path, data_dir: Path) -> Path:
    data_dir.mkdir()
    page = (ROOT / "docs" / "operation.md").read_text()
    command = next(line for line in page.splitlines() if line.startswith("cp "))
    for told, real in (("/backup/reelnotes", copy), ("/var/lib/reelnotes", data_dir)):
        assert told in command
        command = command.replace(told, str(real))
    run("sh", "-c", command)
    assert (data_dir / "media" / "videos").is_dir()
    return data_dir


def fresh(server: str, request: pytest.FixtureRequest) -> dict[str, str]:
    context = fresh_database(server)
    url = context.__enter__()
    request.addfinalizer(lambda: context.__exit__(None, None, None))
    return {"DATABASE_URL": url}


def stored_video(data_dir: Path) -> str:
    (path,) = (data_dir / "media" / "videos").iterdir()
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = replace(Settings(), data_dir=tmp_path / "data")
    store = open_store(settings.store_url)
    upgrade(store)
    store.engine.dispose()
    return settings


def add(settings: Settings) -> str:
    """Store a video with a queued job and a still, as an upload and a worker do; return its id."""
    media, video_id = folder_media(settings.data_dir / "media"), new_id()
    (media.root / media.video(video_id)).parent.mkdir(parents=True, exist_ok=True)
    (media.root / media.video(video_id)).write_bytes(b"pictures")
    store = open_store(settings.store_url)
    with store.write() as session:
        video = add_video(session, video_id, new_id(), 8, FACTS)
        job = jobs.create_job(session, video, "c.mp4", default_parameters(), chunk_windows=4)
    store.engine.dispose()
    media.keep_still(media.scratch.draft(b"jpeg"), job.id, 0)
    return video_id


def rows_and_files(folder: Path) -> tuple[set[str], set[str]]:
    store = open_store(f"sqlite:///{folder / 'reelnotes.db'}")
    with store.read() as session:
        rows = set(session.scalars(select(Video.id)))
    store.engine.dispose()
    return rows, folder_media(folder / "media").stored_videos()


def test_store_first_leaves_a_file_without_a_row_and_a_sweep_removes_it(
    settings: Settings, tmp_path: Path
) -> None:
    before, copy = add(settings), tmp_path / "copy"
    copy.mkdir()
    copy_store(settings, copy)
    late = add(settings)
    copied = copy_media(settings.data_dir / "media", copy / "media", {before})
    assert rows_and_files(copy) == ({before}, {before, late})
    assert copied.missing == 0
    os.utime(copy / "media" / "videos" / late, (1, 1))
    store = Store.open(f"sqlite:///{copy / 'reelnotes.db'}")
    Sweep(store, connect(""), folder_media(copy / "media"), 64).orphans()  # which sends nothing
    store.engine.dispose()
    assert rows_and_files(copy) == ({before}, {before})


def test_media_first_would_leave_a_queued_job_without_its_video(
    settings: Settings, tmp_path: Path
) -> None:
    before, copy = add(settings), tmp_path / "copy"
    copy.mkdir()
    copy_media(settings.data_dir / "media", copy / "media", set())
    late = add(settings)
    copy_store(settings, copy)
    assert rows_and_files(copy) == ({before, late}, {before})


def test_a_second_backup_copies_what_is_new_and_forgets_what_was_deleted(
    settings: Settings, tmp_path: Path
) -> None:
    kept, deleted, copy = add(settings), add(settings), tmp_path / "copy"
    assert back_up(settings, copy).files == 4
    store = open_store(settings.store_url)
    with store.write() as session:
        session.execute(delete(Job).where(Job.video_id == deleted))
        session.execute(delete(Video).where(Video.id == deleted))
    store.engine.dispose()
    folder_media(settings.data_dir / "media").remove_video(deleted)
    fresh = add(settings)
    again = back_up(settings, copy)
    assert (again.files, again.missing) == (2, 0)
    assert rows_and_files(copy) == ({kept, fresh}, {kept, fresh})
    assert not list(copy.rglob("*.part"))


def test_a_video_that_went_meanwhile_is_counted(settings: Settings, tmp_path: Path) -> None:
    gone, _, copy = add(settings), add(settings), tmp_path / "copy"
    copy.mkdir()
    known = copy_store(settings, copy)
    folder_media(settings.data_dir / "media").remove_video(gone)
    assert copy_media(settings.data_dir / "media", copy / "media", known).missing == 1


def test_a_media_folder_that_is_away_empties_no_backup(settings: Settings, tmp_path: Path) -> None:
    first, second, copy = add(settings), add(settings), tmp_path / "copy"
    back_up(settings, copy)
    held = sorted((copy / "media").rglob("*"))
    media = settings.data_dir / "media"
    media.rename(tmp_path / "away")
    media.mkdir()  # where it would be mounted
    with pytest.raises(BackupFailed, match="mounted"):
        back_up(settings, copy)
    assert sorted((copy / "media").rglob("*")) == held
    media.rmdir()
    (tmp_path / "away").rename(media)
    (media / folder_media(media).video(first)).unlink()
    assert back_up(settings, copy).missing == 0
    assert rows_and_files(copy) == ({first, second}, {first, second})


@pytest.mark.parametrize("place", ["data", "data/copy", "link"])
def test_it_never_copies_onto_what_runs(settings: Settings, tmp_path: Path, place: str) -> None:
    add(settings)
    (tmp_path / "link").symlink_to(settings.data_dir)
    running = (settings.data_dir / "reelnotes.db").stat().st_ino
    with pytest.raises(BackupFailed, match="elsewhere"):
        back_up(settings, tmp_path / place)
    assert (settings.data_dir / "reelnotes.db").stat().st_ino == running
    assert not (settings.data_dir / "copy").exists()


def test_a_store_that_was_never_made_is_told(tmp_path: Path, empty_database_url: str) -> None:
    settings = replace(Settings(), data_dir=tmp_path / "data", database_url=empty_database_url)
    (tmp_path / "empty.db").touch()  # a file, but no schema
    with pytest.raises(NotFound, match="reelnotes migrate"):
        back_up(settings, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("empty_database_url", ["postgres"], indirect=True)
def test_without_pg_dump_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database_url: str
) -> None:
    settings = replace(Settings(), data_dir=tmp_path / "data", database_url=empty_database_url)
    store = open_store(settings.store_url)
    upgrade(store)
    store.engine.dispose()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed, match="client programs"):
        back_up(settings, tmp_path / "copy")
