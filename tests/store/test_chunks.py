"""Chunks are leased to one owner, fenced by its token, and given up after three attempts."""

import time
from collections import Counter
from threading import Thread

import pytest
from sqlalchemy.orm import Session

from models import chunks, jobs
from models.chunks import MAX_ATTEMPTS, Claim, LeaseLost
from models.errors import BadFile, InternalError, OutOfMemory, TimedOut
from models.ids import new_id
from models.segments import list_partial, list_segments
from models.store import Store
from models.tables import Job, JobState
from tests.store.rows import LEASE_MS, claim, make_job, segment


def comment_all(store: Store, claimed: Claim) -> bool:
    wanted = True
    for index in range(claimed.cursor, claimed.stop):
        with store.write() as session:
            wanted = chunks.store_segment(
                session, claimed, segment(claimed.job_id, index), LEASE_MS
            )
    return wanted


def test_a_job_is_done_with_its_last_segment_and_every_window_has_one(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
    while True:
        with store.write() as session:
            claimed = claim(session, jobs.get_job(session, job.id))
        if claimed is None:
            break
        comment_all(store, claimed)
        with store.write() as session:
            chunks.release(session, claimed)
    with store.read() as session:
        assert jobs.get_job(session, job.id).state == JobState.DONE
        assert [row.index for row in list_segments(session, job.id)] == list(range(10))


def test_two_last_chunks_finished_at_once_end_the_job(store: Store) -> None:
    for _ in range(5):
        with store.write() as session:
            job = make_job(session, seconds=8, chunk_windows=1)
        claims = []
        for _ in range(2):
            with store.write() as session:
                claims.append(claim(session, jobs.get_job(session, job.id)))
        threads = [Thread(target=comment_all, args=(store, one)) for one in claims if one]
        assert len(threads) == 2
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as session:
            assert jobs.get_job(session, job.id).state == JobState.DONE


def test_no_chunk_goes_to_two_owners_however_many_ask_at_once(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, seconds=160, chunk_windows=2)
    claimed: list[Claim] = []

    def take() -> None:
        for _ in range(8):
            with store.write() as session:
                one = claim(session, jobs.get_job(session, job.id))
            if one:
                claimed.append(one)

    threads = [Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(one.chunk_id for one in claimed).most_common(1)[0][1] == 1
    assert len(claimed) == 20


def test_an_owner_that_froze_past_its_lease_writes_nothing(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        frozen = claim(session, job, lease_ms=-1)
        assert frozen is not None
    with store.write() as session:
        assert chunks.free_expired(session).to_do == {job.id: 1}
        successor = claim(session, jobs.get_job(session, job.id))
    assert successor is not None
    assert successor.chunk_id == frozen.chunk_id
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.store_segment(session, frozen, segment(job.id, 0, "late"), LEASE_MS)
    with store.read() as session:
        assert list_segments(session, job.id) == []


def test_a_segment_is_stored_once_even_if_its_owner_repeats_itself(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claimed = claim(session, job)
        assert claimed is not None
        chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.store_segment(session, claimed, segment(job.id, 0, "again"), LEASE_MS)


def test_a_successor_goes_on_at_the_first_missing_window(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        first = claim(session, job, lease_ms=LEASE_MS)
        assert first is not None
        chunks.store_segment(session, first, segment(job.id, 0), -1)
    with store.write() as session:
        chunks.free_expired(session)
        successor = claim(session, jobs.get_job(session, job.id))
    assert successor is not None
    assert (successor.cursor, successor.stop) == (1, 4)


def test_a_live_lease_is_left_alone_and_a_renewed_one_too(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        live = claim(session, job, "live")
        renewed = claim(session, job, "renewed", lease_ms=-1)
        assert live is not None
        assert renewed is not None
        chunks.renew_leases(session, ["renewed"], LEASE_MS)
        assert chunks.free_expired(session).to_do == {}


def test_a_chunk_that_kills_its_worker_three_times_fails_the_job(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        other = make_job(session, priority=-1)
    for attempt in range(MAX_ATTEMPTS):
        with store.write() as session:
            claimed = claim(session, jobs.get_job(session, job.id), lease_ms=-1)
            assert claimed is not None
            chunks.begin_attempt(session, claimed)
        assert (claimed.attempts, claimed.cursor) == (attempt + 1, 0)
        with store.write() as session:
            freed = chunks.free_expired(session).to_do
        assert freed == ({job.id: 1} if attempt + 1 < MAX_ATTEMPTS else {})
    with store.read() as session:
        failed = jobs.get_job(session, job.id)
        assert (failed.state, failed.failure_kind, failed.failure_window) == (
            JobState.FAILED,
            "worker-lost",
            0,
        )
        assert jobs.get_job(session, other.id).state == JobState.QUEUED


def test_a_suspect_that_only_waited_for_its_turn_loses_no_attempt(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
    for _ in range(3 * MAX_ATTEMPTS):  # claimed, but the worker dies of another chunk each time
        with store.write() as session:
            claimed = claim(session, jobs.get_job(session, job.id), lease_ms=-1)
        assert claimed is not None
        with store.write() as session:
            assert chunks.free_expired(session).to_do == {job.id: 1}
    assert claimed
    assert claimed.is_suspect
    with store.write() as session:
        again = claim(session, jobs.get_job(session, job.id))
        assert again is not None
        chunks.release(session, again)
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.begin_attempt(session, again)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_lease_that_ends_early_costs_an_attempt_only_where_the_call_hung(
    store: Store, hangs: bool
) -> None:
    failure = TimedOut("A window took too long.") if hangs else None
    with store.write() as session:
        job = make_job(session)
    for attempt in range(MAX_ATTEMPTS):
        with store.write() as session:
            claimed = claim(session, jobs.get_job(session, job.id))
            assert claimed is not None
            if claimed.is_suspect:
                chunks.begin_attempt(session, claimed)
            chunks.let_expire(session, claimed, failure)
        with store.write() as session:
            freed = chunks.free_expired(session).to_do
        assert freed == ({} if hangs and attempt + 1 == MAX_ATTEMPTS else {job.id: 1})
    with store.read() as session:
        ended = jobs.get_job(session, job.id)
        assert ended.failure_kind == ("timeout" if hangs else None)


def test_attempts_count_from_the_last_stored_window(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, seconds=32, chunk_windows=8)
    for window in range(8):
        with store.write() as session:
            claimed = claim(session, jobs.get_job(session, job.id))
            assert claimed is not None
            chunks.store_segment(session, claimed, segment(job.id, window), -1)
        with store.write() as session:
            chunks.free_expired(session)
    with store.read() as session:
        assert jobs.get_job(session, job.id).state == JobState.DONE


def test_a_chunk_given_back_in_good_order_costs_no_attempt(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        for _ in range(MAX_ATTEMPTS + 2):
            claimed = claim(session, job)
            assert claimed is not None
            assert claimed.attempts == 1
            chunks.release(session, claimed)


def test_errors_are_tried_again_and_then_told(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        for attempt in range(MAX_ATTEMPTS):
            claimed = claim(session, job)
            assert claimed is not None
            again = chunks.release_failed(session, claimed, InternalError("Oh dear."), final=False)
            assert again == (attempt + 1 < MAX_ATTEMPTS)
    with store.read() as session:
        failed = jobs.get_job(session, job.id)
        assert (failed.state, failed.failure_kind, failed.failure_text) == (
            JobState.FAILED,
            "internal",
            "Oh dear.",
        )


def test_a_final_error_fails_the_job_at_once(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        claimed = claim(session, job)
        assert claimed is not None
        assert not chunks.release_failed(session, claimed, BadFile("Broken."), final=True)
    with store.read() as session:
        assert jobs.get_job(session, job.id).failure_kind == "bad-file"


def test_a_void_hint_finds_nothing(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        stale = job.hint_epoch
        fresh = jobs.open_hints(session, job, 64)
        assert (fresh.epoch, fresh.count) == (stale + 1, 3)
        assert chunks.claim_chunk(session, job.id, stale, new_id(), LEASE_MS) is None
        assert chunks.claim_chunk(session, job.id, fresh.epoch, new_id(), LEASE_MS) is not None


def test_the_more_urgent_job_goes_first_whoever_is_called(store: Store) -> None:
    with store.write() as session:
        calm = make_job(session)
        urgent = make_job(session, priority=5)
        owners = [claim(session, calm) for _ in range(4)]
    assert [one.job_id for one in owners if one] == [urgent.id] * 3 + [calm.id]


def test_equal_jobs_take_turns_whichever_is_called(store: Store) -> None:
    with store.write() as session:
        first, second = make_job(session), make_job(session)
        first.hinted_ms -= 10
    served = []
    for _ in range(6):
        time.sleep(0.002)  # turns are told apart by milliseconds
        with store.write() as session:
            claimed = claim(session, jobs.get_job(session, first.id))
        assert claimed is not None
        served.append(claimed.job_id)
    assert served == [first.id, second.id] * 3


def test_only_idle_jobs_with_free_chunks_lack_hints(store: Store) -> None:
    with store.write() as session:
        idle, busy, paused = (make_job(session) for _ in range(3))
        jobs.pause(session, paused.id)
        for job in (idle, paused):
            job.hinted_ms -= 20_000
    with store.read() as session:
        assert [job.id for job in chunks.jobs_without_hints(session, idle_ms=10_000)] == [idle.id]
        assert {job.id for job in chunks.jobs_without_hints(session, idle_ms=-1)} == {
            idle.id,
            busy.id,
        }


def test_a_job_stuck_between_its_last_segment_and_done_is_ended(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, seconds=4)
        claimed = claim(session, job)
        assert claimed is not None
        chunks.store_segment(session, claimed, segment(job.id, 0), LEASE_MS)
        job.state = JobState.RUNNING
    with store.write() as session:
        chunks.finish_stuck(session)
    with store.read() as session:
        assert jobs.get_job(session, job.id).state == JobState.DONE


def partial(session: Session, job: Job) -> list[tuple[int, str]]:
    return [(window.index, window.text) for window in list_partial(session, job.id)]


def test_what_is_being_written_is_kept_until_its_segment_is_stored(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        one, other = claim(session, job), claim(session, job)
        assert one
        assert other
        chunks.write_partial(session, {one.owner: (0, "A d"), other.owner: (4, "A c")})
    with store.write() as session:
        assert partial(session, job) == [(0, "A d"), (4, "A c")]
        chunks.store_segment(session, one, segment(job.id, 0), LEASE_MS)
        assert partial(session, job) == [(4, "A c")]
        chunks.write_partial(session, {one.owner: (0, "A dog: too late")})
        assert partial(session, job) == [(4, "A c")]
        chunks.write_partial(session, {one.owner: (1, "A b"), other.owner: (4, "")})
        assert partial(session, job) == [(1, "A b")]


def test_nobody_writes_into_a_chunk_that_is_not_theirs(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        mine = claim(session, job)
        assert mine
        chunks.write_partial(session, {"somebody else": (0, "not mine")})
        assert partial(session, job) == []
        assert chunks.owners_alive(session, [mine.owner, "somebody else"]) == {mine.owner}


@pytest.mark.parametrize("end", ["cancel", "release", "fail", "expire", "delete"])
def test_nothing_is_left_of_a_window_that_ended_otherwise(store: Store, end: str) -> None:
    with store.write() as session:
        job = make_job(session)
        mine = claim(session, job, lease_ms=-1 if end == "expire" else LEASE_MS)
        assert mine
        chunks.write_partial(session, {mine.owner: (0, "A d")})
    with store.write() as session:
        match end:
            case "cancel":
                jobs.cancel(session, job.id)
            case "release":
                chunks.release(session, mine)
            case "fail":
                chunks.release_failed(session, mine, OutOfMemory("Too much."), final=False)
            case "expire":
                chunks.free_expired(session)
            case "delete":
                jobs.delete_job(session, job.id)
        assert chunks.owners_alive(session, [mine.owner]) == set()
        assert partial(session, job) == []


def test_the_networks_that_commented_a_job_are_listed_once_each(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        for name in ("a", "b", "a"):
            jobs.note_network(session, job.id, {"name": name})
    with store.read() as session:
        assert jobs.get_job(session, job.id).networks == [{"name": "a"}, {"name": "b"}]
