"""Measure the search: how long a query takes among many comments, `python -m bench.search`.

Comments are made up, of ordinary length, in jobs of a thousand. A common word stands in all of them,
a rare one in one. With SQLite the CPU time of this thread is all the work there is. --postgres takes a server's URL: a database is made there and dropped.

    python -m bench.search [--segments 100000] [--postgres postgresql://postgres@127.0.0.1]
"""

import argparse
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from sqlalchemy import insert, text

from bench.hardware import hardware
from migrations import upgrade
from models import jobs
from models.facts import VideoFacts
from models.ids import new_id
from models.parameters import parse_parameters
from models.search import Wish, find
from models.store import Store
from models.tables import CommentKind, JobState, Segment
from models.videos import add_video
from settings import Settings

JOB_WINDOWS = 1000
TRIES = 9
COLOURS = ("red", "blue", "green")
FACTS = VideoFacts(
    container="matroska,webm", codec="h264", stream_index=0, width=640, height=360, time_base="1/1000",
    origin_pts=0, last_pts=3_999_960, end_pts=4_000_000, frame_count=100_000, has_audio=False, mime_type="",
    warnings=[],
)  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--segments", type=int, default=100_000)
    words.add_argument("--postgres", help="URL of a server on which a database may be made")
    wish = words.parse_args()
    print(hardware())
    with tempfile.TemporaryDirectory() as folder, _store(Path(folder), wish.postgres) as store:
        begun = time.perf_counter()
        _fill(store, wish.segments)
        seconds = time.perf_counter() - begun
        print(f"{store.engine.dialect.name}: {wish.segments} segments, stored in {seconds:.0f} s\n")
        _measure(store, wish.segments)


def _measure(store: Store, segments: int) -> None:
    print("| query | found | median | worst | CPU here |\n|---|---|---|---|---|")
    queries = (
        Wish("person"),
        Wish("p"),
        Wish("red walking person"),
        Wish(f"needle{segments // 2}"),
        Wish('"coat walks" house 13'),
        Wish("person", state=JobState.DONE, commentator="builtin"),
        Wish("person", state=JobState.FAILED),
    )
    for wish in queries:
        times, cpu = [], []
        for _ in range(TRIES):
            begun, worked = time.perf_counter(), time.thread_time()
            with store.read() as session:
                found = find(session, wish, limit=25)
            times.append(1000 * (time.perf_counter() - begun))
            cpu.append(1000 * (time.thread_time() - worked))
        filters = " ".join(str(value) for value in (wish.state, wish.commentator) if value)
        print(
            f"| {wish.words} {f'({filters})' if filters else ''} | {found.total} | {median(times):.0f} ms "
            f"| {max(times):.0f} ms | {median(cpu):.0f} ms |"
        )


def _fill(store: Store, segments: int) -> None:
    for number in range(segments // JOB_WINDOWS):
        with store.write() as session:
            video = add_video(session, new_id(), new_id() * 4, 1000, FACTS)
            job = jobs.create_job(
                session,
                video,
                "film.mkv",
                parse_parameters({}, Settings()),
                chunk_windows=JOB_WINDOWS,
            )
            job.state = JobState.DONE
            session.execute(
                insert(Segment),
                [_row(job.id, number, index) for index in range(JOB_WINDOWS)],
            )
    with store.engine.connect() as connection:
        if store.engine.dialect.name == "postgresql":  # what its own upkeep does after a while
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("VACUUM ANALYZE search_words"))


def _row(job_id: str, number: int, index: int) -> dict[str, object]:
    words = (
        f"A person in a {COLOURS[index % 3]} coat walks from the left to the door of house {index % 97} "
        f"and takes needle{number * JOB_WINDOWS + index}."
    )
    times = dict.fromkeys(
        ("waiting_ms", "decode_ms", "vision_ms", "prefill_ms", "generate_ms", "total_ms"), 1.0
    )
    return {
        "job_id": job_id, "index": index, "start_ms": index * 4000, "end_ms": index * 4000 + 4000,
        "kind": CommentKind.SAID, "text": words, "frame_pts": [], "created_ms": 1, **times,
    }  # fmt: skip


@contextmanager
def _store(folder: Path, postgres: str | None) -> Iterator[Store]:
    name = f"reelnotes_bench_{secrets.token_hex(4)}"
    url = f"sqlite:///{folder / 'reelnotes.db'}"
    if postgres:
        _on_server(postgres, f"CREATE DATABASE {name}")
        url = f"{postgres.replace('postgresql:', 'postgresql+psycopg:', 1)}/{name}"
    store = Store.open(url)
    try:
        upgrade(store)
        yield store
    finally:
        store.engine.dispose()
        if postgres:
            _on_server(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _on_server(postgres: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(statement)


if __name__ == "__main__":
    main()
