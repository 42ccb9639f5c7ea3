"""The sweep brings lost work back, on a real store and a real broker, and doesn't multiply hints."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models import chunks, hints, jobs, uploads
from models.errors import Conflict
from models.ids import new_id
from models.media import folder_media
from models.store import Store
from models.tables import Chunk, Job, JobState, Upload
from tests.journey.stack import ROOT
from tests.packaging.processes import wait_for
from tests.store.rows import claim, default_parameters, make_job
from tests.store.test_owners import owner_that_ended
from worker.sweep import Sweep


def a_sweep(store: Store, broker_url: str, folder: Path) -> Sweep:
    return Sweep(
        store, hints.connect(broker_url), folder_media(folder / "media"), job_parallelism=64
    )


def idle_job(store: Store, idle_ms: int = 20_000, commentator: str = "builtin") -> Job:
    with store.write() as session:
        job = make_job(session)
        job.commentator = commentator
        job.hinted_ms -= idle_ms
    return job


def begin_upload(session: Session, upload_id: str) -> Upload:
    return uploads.begin_upload(
        session,
        upload_id,
        owner=None,
        length_bytes=1,
        metadata_text="",
        filename="a.mp4",
        parameters=default_parameters(),
        priority=0,
        hours=1,
    )


def test_a_job_whose_hints_are_lost_gets_new_ones_once(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    job = idle_job(store)
    for _ in range(3):
        sweep.lost_work()
    assert hints.waiting_hints(sweep.broker, "builtin") == 3  # one for each chunk
    with store.read() as session:
        assert jobs.get_job(session, job.id).hint_epoch == job.hint_epoch + 1


def test_jobs_that_merely_wait_in_a_long_queue_get_no_more(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    waiting = [idle_job(store) for _ in range(2)]
    for job in waiting:
        hints.send_hints(sweep.broker, jobs.Hints(job.id, "builtin", job.hint_epoch, 1))
    sweep.lost_work()
    assert hints.waiting_hints(sweep.broker, "builtin") == 2


def test_the_queue_of_one_commentator_hides_no_lost_hints_of_another(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    idle_job(store)
    other = idle_job(store, commentator="minicpm")
    hints.send_hints(sweep.broker, jobs.Hints(other.id, "minicpm", other.hint_epoch, 3))
    sweep.lost_work()
    assert hints.waiting_hints(sweep.broker, "builtin") == 3
    assert hints.waiting_hints(sweep.broker, "minicpm") == 3


def test_a_job_forgotten_behind_a_long_queue_is_remembered(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    idle_job(store, idle_ms=700_000)
    hints.send_hints(sweep.broker, jobs.Hints("another", "builtin", 0, 10))
    sweep.lost_work()
    assert hints.waiting_hints(sweep.broker, "builtin") == 13


def test_each_expired_lease_sends_one_hint_of_the_same_epoch(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    with store.write() as session:
        job = make_job(session)
        for _ in range(2):
            assert claim(session, job, lease_ms=-1)
    sweep.lost_work()
    assert hints.waiting_hints(sweep.broker, "builtin") == 2
    with store.write() as session:
        assert chunks.claim_chunk(session, job.id, job.hint_epoch, new_id(), 1000) is not None


def test_two_sweeps_at_once_free_a_lease_once(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    first, second = (a_sweep(store, broker_url, tmp_path) for _ in range(2))
    with store.write() as session:
        job = make_job(session)
        assert claim(session, job, lease_ms=-1)
    first.lost_work()
    second.lost_work()
    assert hints.waiting_hints(first.broker, "builtin") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_broker_that_is_down_fails_no_sweep(store: Store, tmp_path: Path) -> None:
    sweep = a_sweep(store, "redis://127.0.0.1:1/0", tmp_path)
    idle_job(store)
    sweep.lost_work()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_half_an_upload_goes_as_soon_as_its_process_is_gone(store: Store, tmp_path: Path) -> None:
    sweep = a_sweep(store, "redis://127.0.0.1:1/0", tmp_path)
    with sweep.media.scratch.receive(100) as incoming:
        incoming.write(b"half")
        left = incoming.path.with_name(owner_that_ended())
        left.write_bytes(b"half")
        sweep.lost_work()
        assert list(incoming.path.parent.iterdir()) == [incoming.path]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_half_an_upload_of_an_unknown_process_goes_when_nobody_has_it_any_more(
    store: Store, tmp_path: Path
) -> None:
    """As on a web server in a container of its own, of which the sweep's can't tell whether it lives."""
    sweep = a_sweep(store, "redis://127.0.0.1:1/0", tmp_path)
    with sweep.media.scratch.receive(100) as incoming, sweep.media.scratch.making() as (made, _):
        folder = incoming.path.parent
        incoming.write(b"half")
        elsewhere = f"host-00000000-1-{os.getpid()}-"
        received, rendered, young, left = (folder / f"{elsewhere}{name}" for name in "abcd")
        incoming.path.rename(received)
        made.rename(rendered)
        for path in (young, left):
            path.write_bytes(b"half")
        for path in (received, rendered, left):
            os.utime(path, (0, time.time() - 16 * 60))
        sweep.lost_work()
        assert sorted(folder.iterdir()) == [received, rendered, young]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_whole_upload_goes_though_this_machine_s_own_disk_is_in_trouble(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    upload_id = new_id()
    with store.write() as session:
        begin_upload(session, upload_id).holder = owner_that_ended()
    file = sweep.media.root / sweep.media.video(upload_id)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    sweep.media.scratch.folder.touch()  # no folder
    with pytest.raises(OSError, match="incoming"):
        sweep.lost_work()
    assert not file.exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_upload_that_cannot_be_removed_keeps_no_other_waiting(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    stuck, free = sorted(new_id() for _ in range(2))
    with store.write() as session:
        for upload_id in (stuck, free):
            begin_upload(session, upload_id).holder = owner_that_ended()
    files = [sweep.media.root / sweep.media.video(upload_id) for upload_id in (stuck, free)]
    files[0].mkdir(parents=True)  # a folder isn't removed as a file is
    files[1].parent.mkdir(exist_ok=True)
    files[1].write_bytes(b"x")
    sweep.lost_work()
    assert not files[1].exists()
    with store.read() as session:
        held = {one.id: one.holder for one in session.scalars(select(Upload))}
    assert held[stuck] is not None
    assert held[free] is None
    files[0].rmdir()
    sweep.lost_work()
    with store.read() as session:
        assert session.get_one(Upload, stuck).holder is None


@pytest.mark.parametrize("holder", ["gone", "silent", "alive", "elsewhere"])
def test_a_whole_upload_goes_with_the_process_that_had_it_in_hand(
    store: Store, broker_url: str, tmp_path: Path, holder: str
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    upload_id = new_id()
    with store.write() as session:
        uploads.begin_held(
            session,
            upload_id,
            length_bytes=1,
            filename="a.mp4",
            parameters=default_parameters(),
            priority=0,
        )
        upload = session.get_one(Upload, upload_id)
        if holder == "gone":
            upload.holder = owner_that_ended()
        elif holder == "elsewhere":
            upload.holder = f"host-00000000-1-{os.getpid()}-{new_id()}"
        else:
            upload.until_ms = 0
            session.flush()
        if holder == "alive":
            uploads.hold_on(session, upload_id)
    file = sweep.media.root / sweep.media.video(upload_id)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    sweep.lost_work()
    is_in_hand = holder in ("alive", "elsewhere")
    assert file.exists() == is_in_hand
    with store.write() as session:
        job = make_job(session)
        if is_in_hand:
            uploads.settle(session, upload_id, job)
        else:
            with pytest.raises(Conflict):
                uploads.settle(session, upload_id, job)
            assert session.get_one(Upload, upload_id).holder is None


def test_a_double_goes_though_its_process_was_killed_before_it_removed_it(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    upload_id = new_id()
    with store.write() as session:
        job = make_job(session)
        upload = begin_upload(session, upload_id)
        uploads.settle(session, upload_id, job)
        session.refresh(upload)
        assert upload.holder is not None
        upload.holder = owner_that_ended()
    double, stored = (
        sweep.media.root / sweep.media.video(name) for name in (upload_id, job.video_id)
    )
    double.parent.mkdir(parents=True)
    for file in (double, stored):
        file.write_bytes(b"x")
    sweep.lost_work()
    assert (double.exists(), stored.exists()) == (False, True)
    with store.read() as session:
        upload = session.get_one(Upload, upload_id)
        assert (upload.job_id, upload.holder) == (job.id, None)


def test_a_disk_in_trouble_keeps_no_work_from_going_on(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    (tmp_path / "media").touch()  # no folder
    with store.write() as session:
        expired = claim(session, make_job(session), lease_ms=-1000)
    assert expired is not None
    with pytest.raises(OSError, match="media"):
        a_sweep(store, broker_url, tmp_path).lost_work()
    with store.read() as session:
        assert session.get_one(Chunk, expired.chunk_id).owner is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_files_give_room_to_a_store_that_has_none(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    orphan = sweep.media.root / sweep.media.video("gone")
    orphan.parent.mkdir(parents=True)
    orphan.touch()
    os.utime(orphan, (0, 0))
    with store.write() as session:
        refuse = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        begin_upload(session, new_id()).until_ms = 0
        session.execute(text(f"CREATE TRIGGER full BEFORE DELETE ON uploads {refuse}"))
    with pytest.raises(Exception, match="full"):
        sweep.orphans()
    assert not orphan.exists()


def test_files_that_no_row_knows_go_and_all_others_stay(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    sweep = a_sweep(store, broker_url, tmp_path)
    with store.write() as session:
        job = make_job(session)
        assert job.state == JobState.QUEUED
    kept = [
        (sweep.media.root / sweep.media.video(job.video_id)),
        (sweep.media.root / sweep.media.still(job.id, 0)),
    ]
    orphans = [
        (sweep.media.root / sweep.media.video("gone")),
        (sweep.media.root / sweep.media.still("gone", 0)),
        sweep.media.root / "incoming" / "x",
    ]
    arriving = sweep.media.root / "incoming" / "new"
    for path in (*kept, *orphans, arriving):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"bytes")
    long_ago = time.time() - 48 * 3600
    for path in (*kept, *orphans):
        os.utime(path, (long_ago, long_ago))
        os.utime(path.parent, (long_ago, long_ago))
    sweep.orphans()
    assert all(path.exists() for path in (*kept, arriving))
    assert not any(path.exists() for path in orphans)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_beat_frees_leases_while_the_broker_is_away(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        job = make_job(session)
        held = claim(session, job, lease_ms=-1)
        assert held
    env = {**os.environ, "DATA_DIR": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1/0"}
    beat = subprocess.Popen([sys.executable, "-m", "cli", "beat"], cwd=ROOT, env=env)
    try:
        wait_for(lambda: not owners(store), "the sweep")
    finally:
        beat.kill()
        beat.wait()


def owners(store: Store) -> list[str]:
    with store.read() as session:
        return [owner for owner in session.scalars(select(Chunk.owner)) if owner]
