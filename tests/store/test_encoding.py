"""A database that can't hold every text is refused with a sentence that says what to do."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from doctor.parts import look_at_store
from models.errors import StoreBusy
from models.store import Store
from settings import read_settings
from tests.conftest import NO_POSTGRES
from tests.postgres import fresh_database

REFUSAL = "The store's database is in SQL_ASCII, and it must be in UTF8"


@pytest.fixture
def ascii_url(_postgres: str | None) -> Iterator[str]:
    if _postgres is None:
        pytest.skip(NO_POSTGRES)
    options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with fresh_database(_postgres, like=options) as url:
        yield url


def test_no_program_reads_or_writes_it(ascii_url: str) -> None:
    store = Store.open(ascii_url)
    with pytest.raises(StoreBusy, match=REFUSAL):
        store.version()
    with pytest.raises(StoreBusy, match=REFUSAL):
        look_at_store(replace(read_settings(), database_url=ascii_url))


def test_migrate_says_what_to_do(ascii_url: str) -> None:
    command = (sys.executable, "-m", "cli", "migrate")
    env = {"DATABASE_URL": ascii_url}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"reelnotes: {REFUSAL}: make another one (CREATE DATABASE")
