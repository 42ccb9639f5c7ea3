"""A client that freezes in the middle of a transaction doesn't hold up the others for ever."""

import time

import pytest

from models import jobs, store
from models.errors import StoreBusy
from tests.conftest import open_store
from tests.store.rows import make_job


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_postgres_undoes_what_a_frozen_client_began(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_LONGEST_PAUSE_MS", 300)
    frozen, other = open_store(database_url), open_store(database_url)
    with other.write() as session:
        job = make_job(session)

    def freeze() -> None:
        with frozen.write() as session:
            jobs.set_priority(session, job.id, 5)
            session.flush()
            with other.write() as waiting:
                jobs.set_priority(waiting, job.id, 3)

    begun = time.monotonic()
    with pytest.raises(StoreBusy):
        freeze()
    assert time.monotonic() - begun < 30
    with other.read() as session:
        assert jobs.get_job(session, job.id).priority == 3
    frozen.engine.dispose()
    other.engine.dispose()
