"""The schema goes up and down, keeps rows, and is what the tables say."""

from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, update

from migrations import downgrade, is_compared, upgrade
from models import runs, tokens, uploads
from models.errors import StoreBusy
from models.ids import new_id
from models.store import Store
from models.tables import Chunk, Job, Table, Upload
from models.tokens import Scope
from tests.conftest import open_store
from tests.store.rows import default_parameters, make_job, segment


def differences(store: Store) -> list[object]:
    """Compare a store with the tables."""
    with store.engine.connect() as connection:
        opts = {"compare_type": True, "include_name": is_compared}
        context = MigrationContext.configure(connection, opts=opts)
        return list(compare_metadata(context, Table.metadata))


def test_migrations_build_what_the_tables_say(store: Store) -> None:
    assert differences(store) == []


def test_every_step_goes_up_and_down_and_up_again(empty_database_url: str) -> None:
    store = open_store(empty_database_url)
    upgrade(store)
    downgrade(store, "base")
    assert set(inspect(store.engine).get_table_names()) == {"alembic_version"}
    upgrade(store)
    assert differences(store) == []
    store.engine.dispose()


@pytest.mark.parametrize("revision", ["base", "0013"])
def test_a_store_that_nobody_migrated_says_so(empty_database_url: str, revision: str) -> None:
    store = open_store(empty_database_url)
    upgrade(store)
    downgrade(store, revision)
    with (
        pytest.raises(
            StoreBusy, match=r"^The store lacks what this version needs .* `reelnotes migrate`"
        ),
        store.read() as session,
    ):
        session.scalars(select(Job)).all()
    store.engine.dispose()


def test_no_token_may_do_more_after_a_step_down_and_up(empty_database_url: str) -> None:
    store = open_store(empty_database_url)
    upgrade(store)
    with store.write() as session:
        tokens.add_token(session, "reader", [Scope.READ])
        tokens.add_token(session, "admin")
    downgrade(store, "0009")
    upgrade(store)
    with store.read() as session:
        assert [token.name for token in tokens.list_tokens(session)] == ["admin"]
    store.engine.dispose()


def test_no_older_version_makes_a_job_of_a_file_that_somebody_has_in_hand(
    empty_database_url: str,
) -> None:
    store = open_store(empty_database_url)
    upgrade(store)
    with store.write() as session:
        uploads.begin_held(
            session,
            new_id(),
            length_bytes=1,
            filename="a.mp4",
            parameters=default_parameters(),
            priority=0,
        )
    downgrade(store, "0016")
    upgrade(store)
    with store.read() as session:
        assert session.scalars(select(Upload)).all() == []
    store.engine.dispose()


def test_a_run_of_an_older_store_learns_who_said_what_it_took_over(empty_database_url: str) -> None:
    store = open_store(empty_database_url)
    upgrade(store)
    with store.write() as session:
        source = make_job(session, seconds=12)
        session.add_all(segment(source.id, index) for index in range(3))
        session.execute(update(Chunk).values(cursor=Chunk.stop))
        parameters = default_parameters()
        job = runs.start_run(session, source, parameters, [0], chunk_windows=4)
        told = job.sources
    assert told == [
        {"job_id": source.id, "commentator": "builtin", "networks": [], "windows": 2},
    ]
    downgrade(store, "0014")
    upgrade(store)
    with store.read() as session:
        assert session.get_one(Job, job.id).sources == told
        assert session.get_one(Job, source.id).sources == []
    store.engine.dispose()


def test_two_processes_may_migrate_at_once(empty_database_url: str) -> None:
    stores = [open_store(empty_database_url) for _ in range(2)]
    threads = [Thread(target=upgrade, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        assert differences(store) == []
        store.engine.dispose()
