"""Whatever a child program does, who started it gets an answer or a sentence, and the child is gone."""

import json
from typing import Any

import psutil
import pytest

from models.errors import AppError
from web.child import Died, Unwanted, ask, run

PROGRAM = "tests.web.odd_child"
DONE = json.dumps({"done": True, "notes": ["a note"]}) + "\n"


@pytest.fixture(autouse=True)
def no_child_is_left() -> Any:
    before = set(psutil.Process().children())
    yield
    assert not set(psutil.Process().children()) - before


def rendered(says: str, ends: int | None = 0, wanted: int = 100) -> tuple[Any, list[float]]:
    heard: list[float] = []

    def go_on(progress: float) -> bool:
        heard.append(progress)
        return len(heard) <= wanted

    request = {"says": says, "ends": ends}
    return run(PROGRAM, request, {}, "a.mp4", "rendered", go_on), heard


def test_progress_is_heard_and_the_last_answer_returned() -> None:
    answer, heard = rendered('{"progress": 0.25}\nno JSON\n{"progress": 0.5}\n' + DONE)
    assert (answer["notes"], heard[-1], 0.25 in heard) == (["a note"], 0.5, True)


def test_one_that_does_not_end_after_its_answer_is_ended() -> None:
    assert rendered(DONE, ends=None)[0]["done"] is True


def test_it_is_ended_when_nobody_wants_it() -> None:
    with pytest.raises(Unwanted):
        rendered('{"progress": 0.5}\n' * 50, ends=None, wanted=3)


@pytest.mark.parametrize(
    ("says", "ends", "kind"),
    [
        ("", -9, "out-of-memory"),
        ("", -24, "timeout"),
        ('{"progress": 0.5}\n', -11, "bad-file"),
        ("", 3, "internal"),
        ("", 0, "internal"),
        ("", None, "timeout"),
        ("x" * 200_000, 0, "internal"),
        ('{"failure": {"kind": "disk-full", "text": "finds no room."}}\n', 0, "disk-full"),
        ('{"failure": {"kind": "who knows", "text": "is odd."}}\n', 0, "internal"),
    ],
)
def test_each_end_has_its_kind_and_a_sentence_about_the_video(
    says: str, ends: int | None, kind: str
) -> None:
    with pytest.raises(AppError, match=r"^a\.mp4 ") as refusal:
        rendered(says, ends)
    assert refusal.value.kind == kind


def test_one_that_complains_at_length_is_heard_all_the_same() -> None:
    request = {"complains": 1_000_000, "says": DONE, "ends": 0}
    assert ask(PROGRAM, request, {}, 10)["done"] is True
    assert run(PROGRAM, request, {}, "a.mp4", "rendered", lambda _: True)["done"] is True
    with pytest.raises(Died, match="xxx"):
        ask(PROGRAM, {**request, "ends": 3}, {}, 10)


def test_one_question_has_one_answer() -> None:
    def asked(says: str, ends: int | None) -> dict[str, Any]:
        return ask(PROGRAM, {"says": says, "ends": ends}, {}, 10)

    assert asked('{"facts": 1}', 0) == {"facts": 1}
    assert asked("[1]", 0) == asked("", 0) == asked("x" * (2 << 20), 0) == {}
    with pytest.raises(Died):
        asked('{"facts": 1}', 3)
    with pytest.raises(TimeoutError):
        ask(PROGRAM, {"says": "", "ends": None}, {}, 1)
