"""A network is warmed up by made-up windows, and what came of that is told."""

import logging
from itertools import count
from threading import Event, Thread

import pytest

pytest.importorskip("torch", reason="the runtime needs PyTorch")

from tests.journey.checkpoints import TINY
from worker.minicpm import Message, Request, Sampling, load
from worker.minicpm.batch import Batch
from worker.minicpm.warming import _answer


def test_every_slot_answers_a_window(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "worker.minicpm.warming")
    with load(TINY, slots=2) as engine:
        _answer(engine)
    assert caplog.messages == ["the network was warmed up"]


def test_an_engine_that_is_closed_meanwhile_is_not_said_to_be_warm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "worker.minicpm.warming")
    with load(TINY, slots=2) as engine:
        warming = Thread(target=_answer, args=(engine,))
        warming.start()
    warming.join(30)
    assert not warming.is_alive()
    assert caplog.messages[0].startswith("the network was not warmed up windows=2 of=2 reason=")


def test_windows_without_room_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """As on a small card, where prompts may be shorter."""
    with load(TINY, slots=2, room=16) as engine:
        _answer(engine)
    assert "was not warmed up windows=2 of=2" in caplog.text


def test_windows_are_answered_between_two_captures(monkeypatch: pytest.MonkeyPatch) -> None:
    made, answered, enough = count(), Event(), 1000

    def prepare(batch: Batch) -> bool:
        return next(made) < enough or not answered.is_set()

    monkeypatch.setattr(Batch, "prepare", prepare)
    with load(TINY, slots=2) as engine:
        preparing = Thread(target=engine.prepare, daemon=True)
        preparing.start()
        engine.comment(Request([Message("user", ("What?",))], Sampling(8)))
        assert preparing.is_alive()
        answered.set()
        preparing.join(30)
        assert not preparing.is_alive()
    assert next(made) > enough


def test_closing_ends_preparing(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Event()

    def prepare(batch: Batch) -> bool:
        begun.set()
        return True

    monkeypatch.setattr(Batch, "prepare", prepare)
    with load(TINY, slots=2) as engine:
        preparing = Thread(target=engine.prepare, daemon=True)
        preparing.start()
        assert begun.wait(30)
    preparing.join(30)
    assert not preparing.is_alive()
    late = Thread(target=engine.prepare, daemon=True)  # of one that has ended
    late.start()
    late.join(30)
    assert not late.is_alive()


def test_prefill_is_captured_before_windows_are_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def told(name: str) -> None:
        work = getattr(Batch, name)

        def tell(batch: Batch, *given: object) -> object:
            done.append(name)
            return work(batch, *given)

        monkeypatch.setattr(Batch, name, tell)

    told("prepare")
    told("admit")
    with load(TINY, slots=2) as engine:
        _answer(engine)
    assert done[0] == "prepare"
    assert set(done[1:]) == {"admit"}
