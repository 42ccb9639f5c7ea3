"""Answers made once for many: never older than what the store held when somebody asked."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.store import Store
from models.tables import Token
from tests.conftest import open_store
from tests.packaging.processes import wait_for
from web import shared
from web.shared import LONGEST_KEPT_S, SharedAnswers


def commit(store: Store, name: str) -> None:
    with store.write() as session:
        session.add(Token(digest=name, name=name, created_ms=0))


def names(store: Store) -> bytes:
    with store.read() as session:
        return b" ".join(sorted(token.digest.encode() for token in session.query(Token)))


def is_same_after(store: Store, read: Callable[[], object]) -> bool:
    """Tell whether reading left the version as it was: once in a while, for others use the same Postgres."""
    before = store.version()
    read()
    return store.version() == before


def test_a_version_lasts_until_something_is_committed(store: Store, database_url: str) -> None:
    other = open_store(database_url)
    first = store.version()
    wait_for(lambda: is_same_after(store, lambda: names(other)), "a version that lasts")
    commit(store, "ours")
    second = store.version()
    assert second != first
    commit(other, "theirs")
    third = store.version()
    assert third not in (first, second)
    wait_for(lambda: is_same_after(store, lambda: names(other)), "a version that lasts")
    other.engine.dispose()


def test_an_answer_is_made_once_until_something_is_committed(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LONGEST_KEPT_S", 60.0)
    other = open_store(database_url)
    versions: list[Hashable] = []
    made = []

    def version() -> Hashable:
        versions.append(store.version())
        return versions[-1]

    def make() -> bytes:
        made.append(names(store))
        return made[-1]

    answers = SharedAnswers(version)
    assert [answers.get("names", make) for _ in range(9)] == [b""] * 9
    assert len(made) <= len(set(versions))  # one, unless others write to the same Postgres
    commit(other, "a")
    assert answers.get("names", make) == b"a"
    before = len(made)
    assert answers.get("other names", make) == b"a"
    assert len(made) == before + 1
    other.engine.dispose()


def test_an_answer_grows_old_although_nothing_is_committed(store: Store) -> None:
    answers = SharedAnswers(store.version)
    bodies = iter([b"1", b"2"])
    assert answers.get("clock", lambda: next(bodies)) == b"1"
    threading.Event().wait(LONGEST_KEPT_S)
    assert answers.get("clock", lambda: next(bodies)) == b"2"


def test_who_waits_shares_the_next_answer_not_the_one_begun_before() -> None:
    """The store changes all the time: ten who come while one answer is made cause one more."""
    versions = iter(range(1000))
    answers = SharedAnswers(lambda: next(versions))
    begun, go_on = threading.Event(), threading.Event()
    made: list[bytes] = []

    def make() -> bytes:
        body = str(len(made)).encode()
        made.append(body)
        begun.set()
        go_on.wait(10)
        return body

    with ThreadPoolExecutor(11) as people:
        first = people.submit(answers.get, "list", make)
        begun.wait(10)
        come = threading.Barrier(11)

        def ask() -> bytes:
            come.wait(10)
            return answers.get("list", make)

        others = [people.submit(ask) for _ in range(10)]
        come.wait(10)
        threading.Event().wait(0.3)  # until they wait for the first one
        go_on.set()
        assert first.result(10) == b"0"
        assert {other.result(10) for other in others} == {b"1"}
    assert made == [b"0", b"1"]
