"""A worker that froze past its lease writes nothing when it wakes; a cancelled job stops at once."""

import time
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import select

from models.tables import Chunk, Job, Segment, Table
from tests.faults.feeder import PARAMETERS
from tests.faults.figures import Figures
from tests.faults.installation import Held, Installation, Taken, freeze
from tests.journey.footage import write_moving_square
from tests.packaging.processes import wait_for

CANCELLED_WITHIN_S = 3.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moving_square(tmp_path_factory.mktemp("footage") / "square.mp4", seconds=6)


def test_a_thawed_worker_writes_nothing(
    installation: Installation, clip: Path, figures: Figures
) -> None:
    with installation.stack.client() as client:
        job_id = client.submit(clip, PARAMETERS)["id"]
    worker = _freeze_at_work(installation, job_id)
    try:
        frozen_at = time.time()
        held = [one for one in installation.held(worker.pid) if one.cursor <= one.last]
        installation.wait_until_settled()  # the other worker takes over and ends the job
        taken = [one for one in installation.taken() if one.at > frozen_at]
        before, times, on_the_way = (
            _everything(installation),
            _times(installation),
            _on_the_way(installation),
        )
    finally:
        worker.resume()
    threads = Counter(chunk.job_id for chunk in held)
    wait_for(
        lambda: all(len(_given_up(installation, job)) >= threads[job] for job in threads),
        "the thawed threads",
    )
    assert _everything(installation) == before
    put = [path for path, time_ns in _times(installation).items() if times[path] != time_ns]
    assert (
        len(put) <= on_the_way
    )  # a still half put when it froze goes over the other's, the same picture
    assert installation.faults() == []
    figures.tell(
        f"a frozen worker, {installation.kind}",
        lease_seconds=installation.lease_seconds,
        chunks=len(held),
        seconds_until_claimed_again=round(max(_again(taken, one) for one in held) - frozen_at, 1),
        written_after_thawing=0,
    )


def test_a_cancelled_job_stops_at_once(
    installation: Installation, clip: Path, figures: Figures
) -> None:
    with installation.stack.client() as client:
        job_id = client.submit(clip, PARAMETERS)["id"]
        held = wait_for(lambda: [h for h in installation.held() if h.job_id == job_id], "a claim")
        asked = time.monotonic()
        client.change(job_id, "cancel")
        installation.cancelled.add(job_id)
        stored = client.segments(job_id)["segments"]
        wait_for(lambda: len(_given_up(installation, job_id)) >= len(held), "the workers")
        seconds = time.monotonic() - asked
        assert client.segments(job_id)["segments"] == stored
    figures.tell(
        f"a cancelled job, {installation.kind}",
        chunks_under_way=len(held),
        seconds_until_given_up=round(seconds, 2),
    )
    assert seconds <= CANCELLED_WITHIN_S
    installation.wait_until_settled()
    # Who gave its chunk up may have been putting the picture of its last window.
    wait_for(lambda: not _on_the_way(installation), "the last picture")
    assert installation.faults() == []


def _freeze_at_work(installation: Installation, job_id: str) -> psutil.Process:
    """Stop a worker that has windows under way and holds no lock of the store; return it.

    Who is stopped in the middle of a commit keeps SQLite's lock until it wakes.
    """

    def freeze_one() -> psutil.Process | None:
        for worker in installation.processes("worker"):
            freeze(worker)
            if installation.is_writable() and [
                h
                for h in installation.held(worker.pid)
                if h.job_id == job_id and h.cursor <= h.last
            ]:
                return worker
            worker.resume()
        return None

    return wait_for(freeze_one, "a worker at work")


def _given_up(installation: Installation, job_id: str) -> list[str]:
    """Return how threads told that they let go; Postgres ends a frozen client's transaction after 10 s."""
    ends = (f"taken away job_id={job_id}", f"the sweep brings the work back job_id={job_id}")
    return [line for line in installation.stack.log if any(end in line for end in ends)]


def _again(taken: Sequence[Taken], held: Held) -> float:
    return min(one.at for one in taken if (one.job_id, one.last) == (held.job_id, held.last))


def _everything(installation: Installation) -> dict[str, Any]:
    """Return all rows, and name and content of all files that have come to their place."""
    tables: tuple[type[Table], ...] = (Job, Chunk, Segment)
    with installation.store.read() as session:
        rows = {
            table.__tablename__: sorted(map(str, session.execute(select(*table.__table__.columns))))
            for table in tables
        }
    files = sorted(
        (str(path), sha256(path.read_bytes()).hexdigest()) for path in _stored(installation)
    )
    return rows | {"files": files}


def _times(installation: Installation) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in _stored(installation)}


def _stored(installation: Installation) -> list[Path]:
    root = installation.media.root
    return [
        path for path in root.rglob("*") if path.is_file() and root / "incoming" not in path.parents
    ]


def _on_the_way(installation: Installation) -> int:
    return sum(path.is_file() for path in (installation.media.root / "incoming").rglob("*"))
