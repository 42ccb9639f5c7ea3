"""A network that answers in words is asked twice at most; what comes of it is told."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest

from models.errors import AppError, CommentatorFailed, OutOfMemory
from models.parameters import parse_parameters
from models.tables import CommentKind
from settings import Settings
from worker.asking import LONGEST_TITLE, Answer, AskingCommentator, split_title
from worker.commentator import Accelerator, Comment, Draft, Frame, Matter, Prompt, Timings, Window

SETTINGS = Settings(commentator="minicpm")
PROMPT = Prompt(96, parse_parameters({}, SETTINGS).prompting)
WINDOW = Window(
    0, Fraction(0), Fraction(4), (Frame(0, Fraction(0), np.zeros((2, 2, 3), np.uint8)),)
)


def cut(text: str) -> Answer:
    return Answer(text, "length", Timings(1, 2, 3, 4), 100, 10, ("2 frames were left out.",))


def whole(text: str) -> Answer:
    return Answer(text, "end", Timings(1, 2, 3, 4), 100, 10)


@dataclass
class Script:
    """Answers by heart, and remembers how it was asked."""

    answers: list[Answer | AppError]
    name: str = "script"
    streams: int = 1
    network: dict[str, str] | None = None
    asked: list[Prompt] = field(default_factory=list)
    previous: list[str | None] = field(default_factory=list)

    def accelerator(self) -> Accelerator | None:
        return None

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        return width, height

    def write(self, matter: Matter, prompt: Prompt, draft: Draft) -> Answer:
        answer = self.answers[len(self.asked)]
        self.asked.append(prompt)
        if isinstance(answer, AppError):
            raise answer
        return answer

    def answer(self, window: Window, prompt: Prompt, previous: str | None, draft: Draft) -> Answer:
        assert draft.text == ""
        answer = self.answers[len(self.asked)]
        self.asked.append(prompt)
        self.previous.append(previous)
        if isinstance(answer, AppError):
            raise answer
        draft.show(answer.text)
        return answer

    def close(self) -> None:
        pass


def comment(*answers: Answer | AppError, previous: str = "") -> tuple[Comment, Script]:
    script = Script(list(answers))
    before = Comment(CommentKind.SAID, previous) if previous else None
    return AskingCommentator(script).comment(WINDOW, PROMPT, before, Draft()), script


def test_a_good_answer_is_asked_for_once() -> None:
    said, script = comment(whole("A dog runs."), previous="A cat.")
    assert (said.kind, said.text, said.facts, said.reason) == ("said", "A dog runs.", None, None)
    assert script.previous == ["A cat."]
    assert (said.tokens_in, said.tokens_out) == (100, 10)


def test_an_empty_answer_is_asked_for_again_with_other_sampling_and_both_are_counted() -> None:
    said, script = comment(whole(""), whole("A dog runs."))
    assert (said.kind, said.text) == ("said", "A dog runs.")
    assert said.facts == {"notes": ["Asked again: the answer was empty."]}
    assert (said.tokens_in, said.tokens_out) == (200, 20)
    assert said.timings == Timings(2, 4, 6, 8)
    first, second = (prompt.prompting for prompt in script.asked)
    assert first is not None
    assert second is not None
    assert (first.temperature, second.temperature) == (0.0, 0.7)
    assert second.repetition_penalty > first.repetition_penalty
    assert second.seed != first.seed
    assert second.system_prompt == first.system_prompt


def test_the_good_part_of_the_first_answer_goes_before_a_second_one_without_any() -> None:
    said, _ = comment(cut("A dog runs. " + "so it runs on " * 9), cut("never an end"))
    assert (said.kind, said.text) == ("said", "A dog runs.")
    assert said.facts == {
        "notes": [
            "2 frames were left out.",
            "Asked again: the answer repeated itself.",
            "Shortened: the answer repeated itself.",
        ]
    }


def test_two_useless_answers_make_an_empty_segment_with_the_reason() -> None:
    said, script = comment(whole(""), cut("never an end"))
    assert (said.kind, said.text) == ("empty", "")
    assert said.reason == (
        "The network gave no usable comment (asked twice): the answer was empty; "
        "the answer was cut off at its limit of tokens."
    )
    assert len(script.asked) == 2


def test_an_answer_that_says_the_same_again_is_unchanged() -> None:
    said, script = comment(whole("a cat"), previous="A cat.")
    assert (said.kind, said.text) == ("unchanged", "")
    assert len(script.asked) == 1


def test_the_good_part_of_the_first_answer_outlives_a_failure_of_the_second() -> None:
    said, script = comment(cut("A dog runs. " + "so it runs on " * 9), OutOfMemory("No room."))
    assert (said.kind, said.text) == ("said", "A dog runs.")
    assert said.facts == {
        "notes": [
            "2 frames were left out.",
            "Asked again in vain: No room.",
            "Shortened: the answer repeated itself.",
        ]
    }
    assert (said.tokens_in, said.tokens_out) == (100, 10)
    assert len(script.asked) == 2


def test_a_failure_of_the_second_asking_is_the_windows_if_the_first_gave_nothing() -> None:
    with pytest.raises(CommentatorFailed, match="It broke"):
        comment(whole(""), CommentatorFailed("It broke."))


def test_a_title_is_cut_between_words() -> None:
    line = "A man in a red coat walks, " * 9
    title, text = split_title(line)
    assert title == "A man in a red coat walks, A man in a red coat walks, A man in a red coat…"
    assert len(title) <= LONGEST_TITLE
    assert text == line.strip()
