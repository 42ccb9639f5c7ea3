"""Jobs go from state to state as people ask, and only where that makes sense."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models import chunks, job_lists, jobs
from models.additions import makings_of_all
from models.chunks import LeaseLost
from models.clock import now_ms
from models.errors import BadFile, Conflict, InvalidRequest, NotFound
from models.paging import Place
from models.parameters import Parameters, parse_parameters
from models.progress import progress_of
from models.segments import list_segments
from models.store import Store
from models.tables import AdditionKind, Chunk, Job, JobState, Segment, Stage, Video
from models.videos import remove_video_without_jobs
from settings import Settings
from tests.store.rows import LEASE_MS, claim, make_job, segment


def test_a_late_result_after_cancel_is_fenced_off(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claimed = claim(session, job)
        assert claimed is not None
    with store.write() as session:
        jobs.cancel(session, job.id)
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)
    with store.write() as session:
        assert claim(session, jobs.get_job(session, job.id)) is None


def test_pause_keeps_the_window_under_way_and_begins_no_other(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claimed = claim(session, job)
        assert claimed is not None
    with store.write() as session:
        jobs.pause(session, job.id)
    with store.write() as session:
        wanted = chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)
        chunks.release(session, claimed)
        assert not wanted
        assert claim(session, jobs.get_job(session, job.id)) is None
    with store.write() as session:
        assert jobs.resume(session, job.id).state == JobState.QUEUED
        again = claim(session, jobs.get_job(session, job.id))
    assert again is not None
    assert again.cursor == 1


def test_a_job_resumed_while_its_last_chunk_is_in_hand_goes_on(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, seconds=8)
        claimed = claim(session, job)
        assert claimed is not None
    with store.write() as session:
        jobs.pause(session, job.id)
        hints = jobs.open_hints(session, jobs.resume(session, job.id), 64)
    with store.write() as session:
        assert chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)
    assert hints.count == 1


def test_retry_goes_on_at_the_first_missing_window_with_fresh_attempts(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claimed = claim(session, job)
        assert claimed is not None
        chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)
        chunks.release_failed(session, claimed, BadFile("Broken."), final=True)
    with store.write() as session:
        retried = jobs.retry(session, job.id)
        assert (retried.state, retried.failure_kind) == (JobState.QUEUED, None)
        again = claim(session, retried)
    assert again is not None
    assert (again.cursor, again.attempts) == (1, 1)


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (JobState.QUEUED, {"cancel", "pause"}),
        (JobState.RUNNING, {"cancel", "pause"}),
        (JobState.PAUSED, {"cancel", "resume"}),
        (JobState.DONE, set()),
        (JobState.FAILED, {"retry"}),
        (JobState.CANCELLED, {"retry"}),
    ],
)
def test_each_state_allows_what_makes_sense(
    store: Store, state: JobState, allowed: set[str]
) -> None:
    wishes: dict[str, Callable[[Session, str], Job]] = {
        "cancel": jobs.cancel,
        "pause": jobs.pause,
        "resume": jobs.resume,
        "retry": jobs.retry,
    }
    granted = set()
    for name, wish in wishes.items():
        with store.write() as session:
            job = make_job(session)
            job.state = state
        try:
            with store.write() as session:
                wish(session, job.id)
            granted.add(name)
        except Conflict:
            continue
    assert granted == allowed


def test_the_running_time_leaves_pauses_out(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claim(session, job)
        session.refresh(job)
        assert job.running_since_ms is not None
        job.running_since_ms -= 5000
    with store.write() as session:
        paused = jobs.pause(session, job.id)
    assert 5000 <= paused.ran_ms < 6000
    assert paused.running_since_ms is None


def test_delete_leaves_no_row_and_frees_the_video_with_its_last_job(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        twin = jobs.create_job(
            session, job.video, "copy.mp4", Parameters.from_json(job.parameters), chunk_windows=4
        )
        claimed = claim(session, job)
        assert claimed is not None
        chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)
    with store.write() as session:
        video_id = jobs.delete_job(session, job.id)
        assert not remove_video_without_jobs(session, video_id)
    with store.write() as session:
        jobs.delete_job(session, twin.id)
        assert remove_video_without_jobs(session, video_id)
    with store.read() as session:
        for table in (Job, Chunk, Segment, Video):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_deleting_while_a_chunk_is_under_way_fences_its_worker_off(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claimed = claim(session, job)
        assert claimed is not None
    with store.write() as session:
        jobs.delete_job(session, job.id)
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)


def test_what_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with store.read() as session, pytest.raises(NotFound, match="nosuchjob"):
        jobs.get_job(session, "nosuchjob")


def test_lists_go_newest_first_and_page_without_gap(store: Store) -> None:
    with store.write() as session:
        made = [make_job(session) for _ in range(5)]
        for age, job in enumerate(made):
            job.created_ms = 1000 + age // 2  # some at the same millisecond
    with store.read() as session:
        first = job_lists.list_jobs(session, limit=3)
        rest = job_lists.list_jobs(
            session, limit=3, before=Place(first[-1].created_ms, first[-1].id)
        )
        times = [job.created_ms for job in (*first, *rest)]
    assert {job.id for job in (*first, *rest)} == {job.id for job in made}
    assert len(first) + len(rest) == 5
    assert times == sorted(times, reverse=True)


def test_progress_tells_measured_rates_only(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claimed = claim(session, job)
        assert claimed is not None
        assert progress_of(session, job).realtime is None
        for index in range(4):
            chunks.store_segment(session, claimed, segment(job.id, index), LEASE_MS)
        rows = list_segments(session, job.id)
        for row in rows:
            row.created_ms -= 2000 - row.index * 500
            row.total_ms = 0.0
        session.flush()
        begun_ms, earliest_ms = rows[0].created_ms, now_ms()
        progress = progress_of(session, job)
        latest_ms = now_ms()
    assert (progress.windows_done, progress.windows_total) == (4, 10)
    assert progress.realtime is not None  # 16 s of video in 2 s, and what the machine took since
    assert 16_000 / (latest_ms - begun_ms) <= progress.realtime <= 16_000 / (earliest_ms - begun_ms)
    assert progress.eta_ms == round(24_000 / progress.realtime)  # of 24 s of video


def test_time_in_which_nobody_worked_does_not_count(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claimed = claim(session, job)
        assert claimed is not None
        chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)
        chunks.release(session, claimed)
        session.refresh(job)
        assert job.running_since_ms is not None
        ten_hours = 36_000_000
        job.running_since_ms -= ten_hours + 2000
        session.flush()
        session.execute(update(Segment).values(created_ms=Segment.created_ms - ten_hours))
        assert claim(session, job)
        session.refresh(job)
    assert 2000 <= job.ran_ms < 4000
    assert job.running_since_ms > now_ms() - 2000


def test_time_in_which_speech_is_written_down_does_not_count(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, has_audio=True)
        assert claim(session, job) is not None
        session.refresh(job)
        assert job.running_since_ms is not None
        job.running_since_ms -= 5000
        session.flush()
        jobs.add(session, job.id, AdditionKind.TRANSCRIPT)
    with store.write() as session:
        job = jobs.get_job(session, job.id)
        assert (job.stage, job.running_since_ms, job.ran_ms >= 5000) == (Stage.SPEECH, None, True)
        speech = claim(session, job)
        assert speech is not None
        chunks.store_step(session, speech, 0, LEASE_MS, lambda: None)
        assert job.stage == Stage.WINDOWS
        assert job.running_since_ms is not None


@pytest.mark.parametrize("stop", [jobs.pause, jobs.cancel])
def test_an_addition_waits_while_its_job_has_stopped(
    store: Store, stop: Callable[[Session, str], Job]
) -> None:
    with store.write() as session:
        job = make_job(session, has_audio=True)
        jobs.add(session, job.id, AdditionKind.TRANSCRIPT)
        assert makings_of_all(session, [job])[job.id][0].state == "making"
        stop(session, job.id)
        assert makings_of_all(session, [job])[job.id][0].state == "waiting"


def test_a_queued_job_is_foretold_by_the_jobs_before_it(store: Store) -> None:
    with store.write() as session:
        past = make_job(session, seconds=100)
        past.state, past.ran_ms, past.finished_ms = JobState.DONE, 10_000, 1
        queued = make_job(session, seconds=40)
        assert progress_of(session, queued).eta_ms == 4000


def test_parameters_survive_the_store_and_defaults_are_worked_out() -> None:
    parameters = parse_parameters({"capture_fps": "1/3", "frame_stride": "3"}, Settings())
    assert parameters.window_hop == 12
    assert Parameters.from_json(parameters.to_json()) == parameters


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("capture_fps", "0"),
        ("capture_fps", "nan"),
        ("capture_fps", "1/0"),
        ("capture_fps", "1e9999999"),
        ("frames_per_inference", "1.5"),
        ("frames_per_inference", "65"),
        ("change_threshold", "nan"),
        ("change_threshold", "inf"),
        ("max_new_tokens", "-1"),
        ("max_new_tokens", "1025"),
        ("commentator", "gpt"),
    ],
)
def test_bad_parameters_are_refused_with_a_sentence(field: str, text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_parameters({field: text}, Settings())
    assert str(refusal.value).endswith(".")


def test_too_many_windows_are_refused(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, seconds=100_000)
        greedy = parse_parameters({"capture_fps": "240", "window_hop": "1"}, Settings())
        with pytest.raises(InvalidRequest, match="windows"):
            greedy.plan(job.video)
