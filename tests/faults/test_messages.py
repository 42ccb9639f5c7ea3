"""Messages doubled and lost, results that come late, and people who change their mind meanwhile.

What is promised of a chunk in a worker's hands, and which test proves it:

| promise                                          | test                                                                                      |
|--------------------------------------------------|-------------------------------------------------------------------------------------------|
| accepted: only that worker has it                | store/test_chunks: no_chunk_goes_to_two_owners_however_many_ask_at_once                   |
| progress is told while it works                  | worker/test_advance: what_is_being_written_is_shown_until_it_is_said                      |
| given back: free again, progress cleared         | here: a_chunk_given_back_is_free_for_another_who_goes_on_where_it_was                     |
| an error: tried again                            | store/test_chunks: errors_are_tried_again_and_then_told                                   |
| the third one fails the job, the rest is kept    | here: the_third_failure_fails_the_job_and_the_chunks_beside_it_keep_what_they_have        |
| cancelled: late success and late failure refused | here: whatever_comes_late_after_the_end_changes_nothing                                   |
| deleted: the same                                | the same, and here: a_job_deleted_while_it_runs_leaves_nothing                            |
| two successes: one counts, done once             | here: a_result_told_twice_at_once_counts_once                                             |
| stalled: free again; one that reports stays      | here: a_silent_owner_loses_its_chunk_and_one_that_reports_keeps_it                        |
| stuck before done: ended                         | here: two_sweeps_at_once_do_everything_once                                               |
| a hung call, a killed worker, a broken network   | faults/test_commentators                                                                  |
| a restarted worker, broker, web or sweep         | faults/test_kills                                                                         |

The second half is the same with real workers and a real broker.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import MappingProxyType

import pytest
import redis
from sqlalchemy import update

from client import Client, Refused
from models import chunks, hints, jobs
from models.chunks import MAX_ATTEMPTS, LeaseLost
from models.errors import NotFound, OutOfMemory
from models.jobs import Hints
from models.media import folder_media
from models.segments import list_partial, list_segments
from models.store import Store
from models.tables import Chunk, Job, JobState
from tests.conftest import NO_POSTGRES
from tests.faults.inspection import faults_of
from tests.faults.installation import Installation, running_installation
from tests.faults.troubled import GATE, write_script
from tests.packaging.processes import wait_for
from tests.store.rows import LEASE_MS, claim, make_job, segment
from worker.keeper import Keeper
from worker.sweep import Sweep

AT_ONCE = 4


def all_at_once(work: Callable[[], None], times: int = AT_ONCE) -> list[BaseException]:
    """Do the same in several threads at the same moment; return what was raised."""
    start = Barrier(times)

    def begin() -> None:
        start.wait(30)
        work()

    with ThreadPoolExecutor(times) as pool:
        ends = [pool.submit(begin) for _ in range(times)]
    return [error for end in ends if (error := end.exception()) is not None]


def test_a_chunk_given_back_is_free_for_another_who_goes_on_where_it_was(store: Store) -> None:
    with store.write() as session:
        job = make_job(session)
        first = claim(session, job)
        assert first is not None
        chunks.store_segment(session, first, segment(job.id, 0), LEASE_MS)
        chunks.write_partial(session, {first.owner: (1, "A dog r")})
    with store.write() as session:
        assert chunks.release_failed(session, first, OutOfMemory("Too much."), final=False)
        assert list_partial(session, job.id) == []
        second = claim(session, jobs.get_job(session, job.id))
    assert second is not None
    assert (second.chunk_id, second.cursor) == (first.chunk_id, 1)
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.store_segment(session, first, segment(job.id, 1), LEASE_MS)


def test_the_third_failure_fails_the_job_and_the_chunks_beside_it_keep_what_they_have(
    store: Store,
) -> None:
    with store.write() as session:
        job = make_job(session)
        bad, good = claim(session, job), claim(session, job)
        assert bad
        assert good
        chunks.store_segment(session, good, segment(job.id, 4), LEASE_MS)
    for _ in range(MAX_ATTEMPTS - 1):
        with store.write() as session:
            assert chunks.release_failed(session, bad, OutOfMemory("Too much."), final=False)
            bad = claim(session, jobs.get_job(session, job.id))
        assert bad
    with store.write() as session:
        assert not chunks.release_failed(session, bad, OutOfMemory("Too much."), final=False)
    with store.write() as session:
        wanted = chunks.store_segment(session, good, segment(job.id, 5), LEASE_MS)
        chunks.release(session, good)
        failed = jobs.get_job(session, job.id)
        assert claim(session, failed) is None
    assert not wanted
    assert (failed.state, failed.failure_kind) == (JobState.FAILED, "out-of-memory")
    with store.read() as session:
        assert [row.index for row in list_segments(session, job.id)] == [4, 5]


@pytest.mark.parametrize("end", [jobs.cancel, jobs.delete_job], ids=["cancel", "delete"])
def test_whatever_comes_late_after_the_end_changes_nothing(
    store: Store, end: Callable[..., object]
) -> None:
    with store.write() as session:
        job = make_job(session)
        late = claim(session, job)
        assert late
    with store.write() as session:
        end(session, job.id)
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.store_segment(session, late, segment(job.id, 0), LEASE_MS)
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.release_failed(session, late, OutOfMemory("Too much."), final=True)
    with pytest.raises(LeaseLost), store.write() as session:
        chunks.begin_attempt(session, late)
    with store.write() as session:
        chunks.write_partial(session, {late.owner: (0, "A dog r")})
        chunks.renew_leases(session, [late.owner], LEASE_MS)
        chunks.let_expire(session, late, OutOfMemory("Too much."))
        chunks.release(session, late)
        assert chunks.free_expired(session).to_do == {}
        assert chunks.owners_alive(session, [late.owner]) == set()
        assert list_partial(session, job.id) == []
        assert list_segments(session, job.id) == []
    with store.read() as session:
        if end is jobs.delete_job:
            with pytest.raises(NotFound):
                jobs.get_job(session, job.id)
        else:
            ended = jobs.get_job(session, job.id)
            assert (ended.state, ended.failure_kind) == (JobState.CANCELLED, None)


def test_a_result_told_twice_at_once_counts_once(store: Store) -> None:
    with store.write() as session:
        job = make_job(session, seconds=4)
        mine = claim(session, job)
        assert mine

    def tell() -> None:
        with store.write() as session:
            chunks.store_segment(session, mine, segment(job.id, 0), LEASE_MS)

    assert [type(error) for error in all_at_once(tell)] == [LeaseLost] * (AT_ONCE - 1)
    with store.read() as session:
        done = jobs.get_job(session, job.id)
        assert done.state == JobState.DONE
        assert len(list_segments(session, job.id)) == 1


def test_a_silent_owner_loses_its_chunk_and_one_that_reports_keeps_it(store: Store) -> None:
    lease_ms = 1500
    with store.write() as session:
        job = make_job(session)
        silent, reporting = claim(session, job, lease_ms=lease_ms), claim(session, job)
        assert silent
        assert reporting
    keeper = Keeper(store, lease_ms, call_timeout_s=600)
    freed: dict[str, int] = {}

    def free() -> bool:
        with store.write() as session:
            freed.update(chunks.free_expired(session).to_do)
        return bool(freed)

    with keeper.hold(reporting):
        wait_for(free, "the silent owner's chunk")
        with store.read() as session:
            alive = chunks.owners_alive(session, [silent.owner, reporting.owner])
    keeper.end()
    assert freed == {job.id: 1}
    assert alive == {reporting.owner}


def test_two_sweeps_at_once_do_everything_once(
    store: Store, broker_url: str, tmp_path: Path
) -> None:
    """Leases that ran out, hints that were lost and jobs that miss nothing, many of each."""
    with store.write() as session:
        stuck = [make_job(session, seconds=4) for _ in range(8)]
        expired = [make_job(session, seconds=8) for _ in range(8)]
        for job in (*stuck, *expired):
            assert claim(session, job, job.id, lease_ms=-1)
        for job in stuck:
            session.add(segment(job.id, 0))
            session.execute(update(Chunk).where(Chunk.job_id == job.id).values(cursor=1))
        forgotten = [make_job(session) for _ in range(8)]
        for job in forgotten:
            job.hinted_ms -= 20_000
    media = folder_media(tmp_path / "media")
    sweeps = iter([Sweep(store, hints.connect(broker_url), media, 64) for _ in range(AT_ONCE)])
    assert all_at_once(lambda: next(sweeps).lost_work()) == []
    waiting = hints.waiting_hints(hints.connect(broker_url), "builtin")
    assert waiting == 8 + 8 * 3  # one for each lease, one for each chunk of the forgotten
    with store.read() as session:
        assert {jobs.get_job(session, job.id).state for job in stuck} == {JobState.DONE}
        assert {jobs.get_job(session, job.id).hint_epoch for job in forgotten} == {1}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def working(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Yield the product with workers that wait at a gate."""
    folder = tmp_path_factory.mktemp(f"messages-{request.param}")
    with running_installation(
        request.param,
        folder,
        module="tests.faults.troubled",
        CHUNK_WINDOWS="4",
        WORKER_THREADS="4",
        LEASE_SECONDS="3",
        **{GATE: str(folder / "gate")},
    ) as installation:
        if installation is None:
            pytest.skip(NO_POSTGRES)
        yield installation


@pytest.fixture
def client(working: Installation) -> Iterator[Client]:
    with working.stack.client() as client:
        yield client


@pytest.fixture
def gate(working: Installation) -> Iterator[Path]:
    """Yield a shut gate: deleting the file opens it."""
    gate = working.stack.data_dir.parent / "gate"
    gate.touch()
    yield gate
    gate.unlink(missing_ok=True)


def begin_waiting(client: Client, tmp_path: Path, windows: int = 12) -> str:
    """Submit a clip whose second window of each chunk waits at the gate; return once one does."""
    clip = write_script(tmp_path / "clip.mp4", *["calm", "waits", "calm", "calm"] * (windows // 4))
    job_id = client.submit(clip, {})["id"]
    wait_for(lambda: client.segments(job_id)["writing"], "a window at the gate")
    return job_id


def end_of(
    installation: Installation,
    job_id: str,
    state: JobState,
    others: Mapping[str, JobState] = MappingProxyType({}),
) -> list[str]:
    """Wait for the job's end; return what is wrong then. The others but those named must be done."""
    assert installation.stack.wait_until_ended(job_id) == state
    wait_for(lambda: not installation.held(), "the workers to let go")
    return faults_of(installation.store, installation.media, {**others, job_id: state})


def test_messages_doubled_late_or_senseless_change_nothing(
    working: Installation, client: Client, gate: Path, tmp_path: Path
) -> None:
    job_id = begin_waiting(client, tmp_path)
    app = hints.connect(working.broker_url)
    with working.store.read() as session:
        epoch = jobs.get_job(session, job_id).hint_epoch
    for about, which in ((job_id, epoch), (job_id, epoch - 1), ("nosuchjob", 0)):
        hints.send_hints(app, Hints(about, "builtin", which, 8))
    for args in ([], [job_id], [job_id, "x"], [None, None], [job_id, epoch, 1]):
        app.send_task(hints.ADVANCE, args=args, queue=hints.queue_of("builtin"))
    app.send_task("no-such-task", queue=hints.queue_of("builtin"))
    gate.unlink()
    assert end_of(working, job_id, JobState.DONE) == []


def test_lost_messages_are_sent_again(
    working: Installation, client: Client, gate: Path, tmp_path: Path
) -> None:
    """All threads are busy with one job when the messages of another are lost."""
    busy = begin_waiting(client, tmp_path, windows=16)
    wait_for(lambda: len(working.held()) == 4, "every thread at the gate")
    lost = client.submit(write_script(tmp_path / "lost.mp4", *["calm"] * 12), {})["id"]
    working.flush_broker()
    gate.unlink()
    assert end_of(working, busy, JobState.DONE, {lost: JobState.QUEUED}) == []
    with working.store.write() as session:  # as if ten seconds had gone by
        session.execute(update(Job).values(hinted_ms=Job.hinted_ms - 10_000))
    assert end_of(working, lost, JobState.DONE) == []


def test_a_pause_keeps_what_is_in_hand_and_goes_on_behind_it(
    working: Installation, client: Client, gate: Path, tmp_path: Path
) -> None:
    job_id = begin_waiting(client, tmp_path)
    assert client.change(job_id, "pause")["state"] == "paused"
    gate.unlink()
    wait_for(lambda: not working.held(), "the workers to let go")
    stored = [segment["index"] for segment in client.segments(job_id)["segments"]]
    assert {1} <= {*stored} < {*range(12)}
    assert client.job(job_id)["state"] == "paused"
    client.change(job_id, "resume")
    assert end_of(working, job_id, JobState.DONE) == []


def test_results_after_a_cancel_are_not_kept_and_a_retry_does_them_once(
    working: Installation, client: Client, gate: Path, tmp_path: Path
) -> None:
    job_id = begin_waiting(client, tmp_path)
    with pytest.raises(Refused, match=r"running can't be retried"):
        client.change(job_id, "retry")
    assert client.change(job_id, "cancel")["state"] == "cancelled"
    client.change(job_id, "retry")  # while the first workers still wait, and don't know
    wait_for(lambda: client.segments(job_id)["writing"], "a second worker at the gate")
    assert [s for s in client.segments(job_id)["segments"] if s["index"] % 4 == 1] == []
    gate.unlink()
    assert end_of(working, job_id, JobState.DONE) == []


def test_a_job_deleted_while_it_runs_leaves_nothing(
    working: Installation, client: Client, gate: Path, tmp_path: Path
) -> None:
    job_id = begin_waiting(client, tmp_path)
    client.delete(job_id)
    gate.unlink()
    clip = write_script(tmp_path / "next.mp4", "calm")
    assert end_of(working, client.submit(clip, {})["id"], JobState.DONE) == []
    with pytest.raises(Refused, match="no job"):
        client.job(job_id)


@pytest.mark.parametrize("working", ["sqlite"], indirect=True)
def test_a_message_that_is_no_message_costs_a_restart_at_most(
    working: Installation, client: Client, tmp_path: Path
) -> None:
    with redis.Redis.from_url(working.broker_url) as broker:
        broker.lpush(hints.queue_of("builtin"), b"\xff no JSON")
    clip = write_script(tmp_path / "clip.mp4", "calm")
    assert end_of(working, client.submit(clip, {})["id"], JobState.DONE) == []
