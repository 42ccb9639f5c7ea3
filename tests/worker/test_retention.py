"""Videos past their days go, with their stills; rows, commentary and what is needed again stay."""

import threading
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from models import jobs, videos
from models.clock import now_ms
from models.errors import Conflict
from models.hints import connect
from models.media import folder_media
from models.parameters import Parameters
from models.segments import list_segments
from models.store import Store
from models.tables import Job, JobState, Video
from tests.store.rows import make_job, segment
from worker.sweep import Sweep

DAYS = 30
DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def sweep(store: Store, tmp_path: Path) -> Sweep:
    broker = connect("redis://127.0.0.1:1/0")  # nothing here is sent
    return Sweep(store, broker, folder_media(tmp_path / "media"), 64, keep_media_days=DAYS)


def ended_job(sweep: Sweep, days_ago: float, state: JobState = JobState.DONE) -> Job:
    """Make a job with its file, a still and a segment; `days_ago` is when it ended, if it has."""
    with sweep.store.write() as session:
        job = make_job(session)
        session.add(segment(job.id, 0))
        end(job, days_ago, state)
    (sweep.media.root / sweep.media.video(job.video_id)).parent.mkdir(parents=True, exist_ok=True)
    (sweep.media.root / sweep.media.video(job.video_id)).write_bytes(b"pictures")
    sweep.media.keep_still(sweep.media.scratch.draft(b"jpeg"), job.id, 0)
    return job


def end(job: Job, days_ago: float, state: JobState = JobState.DONE) -> None:
    job.state = state
    job.finished_ms = now_ms() - int(days_ago * DAY_MS) if state.ended else None


def has_media(sweep: Sweep, job: Job) -> bool:
    """Tell whether file and still are there; never one without the other."""
    found = {
        (sweep.media.root / sweep.media.video(job.video_id)).exists(),
        (sweep.media.root / sweep.media.still(job.id, 0)).exists(),
    }
    assert len(found) == 1
    return found.pop()


def removed_ms(sweep: Sweep, job: Job) -> int | None:
    with sweep.store.read() as session:
        return session.get_one(Video, job.video_id).removed_ms


@pytest.mark.parametrize("state", list(JobState))
def test_only_videos_of_ended_jobs_past_their_days_go(sweep: Sweep, state: JobState) -> None:
    old, fresh = ended_job(sweep, DAYS + 0.1, state), ended_job(sweep, DAYS - 0.1, state)
    sweep.old_media()
    assert has_media(sweep, old) is not state.ended
    assert has_media(sweep, fresh)
    assert (removed_ms(sweep, old) is None) is not state.ended
    with sweep.store.read() as session:
        assert jobs.get_job(session, old.id).state == state
        assert len(list_segments(session, old.id)) == 1


@pytest.mark.parametrize(
    ("days_ago", "state", "kept"),
    [
        (1, JobState.DONE, True),
        (0, JobState.PAUSED, True),
        (0, JobState.QUEUED, True),
        (DAYS + 1, JobState.FAILED, False),
    ],
)
def test_the_last_job_of_a_video_counts(
    sweep: Sweep, days_ago: float, state: JobState, kept: bool
) -> None:
    job = ended_job(sweep, DAYS + 9)
    with sweep.store.write() as session:
        video = session.get_one(Video, job.video_id)
        parameters = Parameters.from_json(job.parameters)
        twin = jobs.create_job(session, video, "twin.mp4", parameters, chunk_windows=4)
        end(twin, days_ago, state)
    sweep.old_media()
    assert has_media(sweep, job) is kept


def test_zero_days_keep_everything_for_ever(sweep: Sweep) -> None:
    job = ended_job(sweep, 10_000)
    Sweep(sweep.store, sweep.broker, sweep.media, 64, keep_media_days=0).old_media()
    assert has_media(sweep, job)


@pytest.mark.parametrize("days", [DAYS, 0])
def test_what_a_kill_leaves_between_row_and_file_goes_with_the_next_sweep(
    sweep: Sweep, days: int
) -> None:
    job = ended_job(sweep, DAYS + 1)
    with sweep.store.write() as session:
        assert videos.note_removal(session, job.video_id, now_ms() - DAYS * DAY_MS)
    assert has_media(sweep, job)
    Sweep(sweep.store, sweep.broker, sweep.media, 64, keep_media_days=days).old_media()
    assert not has_media(sweep, job)


def test_what_a_kill_leaves_between_file_and_stills_goes_with_the_next_sweep(sweep: Sweep) -> None:
    job = ended_job(sweep, DAYS + 1)
    with sweep.store.write() as session:
        videos.note_removal(session, job.video_id, now_ms() - DAYS * DAY_MS)
    sweep.media.remove_video(job.video_id)
    sweep.old_media()
    assert not has_media(sweep, job)


def test_a_sweep_that_was_frozen_past_its_turn_removes_nothing(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile the same file may have come again."""
    job = ended_job(sweep, DAYS + 1)
    begin = videos.begin_removal

    def frozen(session: Session, video_id: str) -> int | None:
        until_ms = begin(session, video_id)
        assert until_ms is not None
        return until_ms - videos.REMOVAL_MS

    with monkeypatch.context() as slow:
        slow.setattr(videos, "begin_removal", frozen)
        sweep.old_media()
    assert has_media(sweep, job)
    sweep.old_media()
    assert not has_media(sweep, job)


def test_a_file_that_came_again_before_it_was_removed_stays(sweep: Sweep) -> None:
    job = ended_job(sweep, DAYS + 1)
    with sweep.store.write() as session:
        videos.note_removal(session, job.video_id, now_ms() - DAYS * DAY_MS)
    noted = sweep.store.write

    class Late(Store):
        """Lets an upload of the same content in between the sweep's look and its hand."""

        def write(self):  # type: ignore[no-untyped-def]
            with noted() as session:
                session.get_one(Video, job.video_id).removed_ms = None
            return noted()

    late = Late(sweep.store.engine, sweep.store.versions, sweep.store.turn)
    Sweep(late, sweep.broker, sweep.media, 64, keep_media_days=0).old_media()
    assert has_media(sweep, job)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_a_job_without_its_video_is_not_retried(sweep: Sweep, state: JobState) -> None:
    job = ended_job(sweep, DAYS + 1, state)
    sweep.old_media()
    refusal = pytest.raises(Conflict, match=r"can't be retried\. The video was removed on 20")
    with refusal, sweep.store.write() as session:
        jobs.retry(session, job.id)
    with sweep.store.read() as session:
        assert jobs.get_job(session, job.id).state == state


def test_a_retry_and_a_removal_at_once_leave_no_open_job_without_a_file(sweep: Sweep) -> None:
    for _ in range(12):
        job = ended_job(sweep, DAYS + 1, JobState.FAILED)
        both = threading.Barrier(2)

        def retry(job_id: str = job.id, both: threading.Barrier = both) -> None:
            both.wait()
            try:
                with sweep.store.write() as session:
                    jobs.retry(session, job_id)
            except Conflict:
                return

        other = threading.Thread(target=retry)
        other.start()
        both.wait()
        sweep.old_media()
        other.join()
        with sweep.store.read() as session:
            is_open = not jobs.get_job(session, job.id).state.ended
        assert has_media(sweep, job) is is_open
        assert (removed_ms(sweep, job) is None) is is_open


def test_deleting_a_job_whose_video_was_removed_leaves_no_row(sweep: Sweep) -> None:
    job = ended_job(sweep, DAYS + 1)
    sweep.old_media()
    with sweep.store.write() as session:
        assert videos.remove_video_without_jobs(session, jobs.delete_job(session, job.id))
    with sweep.store.read() as session:
        assert session.get(Video, job.video_id) is None
