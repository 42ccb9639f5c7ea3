"""What goes on over all jobs and workers."""

from models import activity, chunks, jobs, workers
from models.clock import now_ms
from models.errors import BadFile
from models.ids import new_id
from models.store import Store
from models.tables import Worker
from tests.store.rows import make_job


def add_job(store: Store) -> str:
    with store.write() as session:
        return make_job(session).id


def a_worker(name: str, seen_ms: int) -> Worker:
    return Worker(
        name=name,
        host="here",
        pid=1,
        commentator="builtin",
        streams=2,
        started_ms=seen_ms,
        seen_ms=seen_ms,
        memory_bytes=1,
    )


def test_workers_are_listed_while_they_speak_and_forgotten_in_time(store: Store) -> None:
    now = now_ms()
    with store.write() as session:
        workers.report(session, a_worker("silent", now - workers.SILENT_MS - 1))
        workers.report(session, a_worker("long-gone", now - 2 * 3600_000))
        workers.report(session, a_worker("alive", now - 5000))
        workers.report(session, a_worker("alive", now))
    with store.read() as session:
        assert [row.name for row in workers.list_alive(session)] == ["alive"]
        assert session.get(Worker, "long-gone") is None
    with store.write() as session:
        workers.leave(session, "alive")
    with store.read() as session:
        assert list(workers.list_alive(session)) == []


def test_a_worker_is_told_with_the_window_it_is_at(store: Store) -> None:
    job_id = add_job(store)
    name = "a-host-12345678-4026531836-12"
    with store.write() as session:
        epoch = jobs.get_job(session, job_id).hint_epoch
        chunks.claim_chunk(session, job_id, epoch, f"{name}-{new_id()}", 60_000)
    with store.read() as session:
        (hold,) = workers.list_holds(session)
    assert (hold.worker, hold.job_id, hold.window, hold.addition) == (name, job_id, 0, None)


def test_what_waits_and_what_failed_is_counted(store: Store) -> None:
    first, second = add_job(store), add_job(store)
    with store.write() as session:
        jobs.fail(session, second, BadFile("It is damaged."), 0)
    with store.read() as session:
        count = jobs.get_job(session, first).window_count
        assert activity.queue(session) == [activity.Waiting("builtin", 1, count)]
        assert activity.failures(session) == {"bad-file": 1}
        minutes = activity.throughput(session)
    assert len(minutes) == 60
    assert sum(minute.windows for minute in minutes) == 0
