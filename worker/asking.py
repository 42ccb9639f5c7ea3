"""A commentator made of a network that answers in words: asked, judged, and asked once more.

Knows prompts, samplings and verdicts, but no network: any that answers can stand behind it.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Protocol

from models.errors import AppError
from models.prompting import Prompting
from models.tables import CommentKind
from worker.commentator import (
    Accelerator,
    Comment,
    Draft,
    Matter,
    Prompt,
    Timings,
    Told,
    Window,
)
from worker.guard import StopReason, Verdict, judge


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network made of a window."""

    text: str  # without the network's thoughts, which only it can tell from a picture's words
    stopped_by: StopReason
    timings: Timings = field(default_factory=Timings)
    tokens_in: int | None = 0  # None: it doesn't tell
    tokens_out: int | None = 0
    notes: tuple[str, ...] = ()  # what it was not shown, as sentences
    cost: float | None = None  # in the operator's unit of money; None: unknown, or nothing


class Answerer(Protocol):
    """A network that is asked in words."""

    name: str
    streams: int
    network: dict[str, str] | None

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]: ...

    def answer(self, window: Window, prompt: Prompt, previous: str | None, draft: Draft) -> Answer:
        """Ask once. Raises as Commentator.comment()."""
        ...

    def write(self, matter: Matter, prompt: Prompt, draft: Draft) -> Answer:
        """Ask once, without pictures. Raises as Commentator.comment()."""
        ...

    def accelerator(self) -> Accelerator | None: ...

    def close(self) -> None: ...


LONGEST_TITLE = 80  # characters


class AskingCommentator:
    """Believes no answer that it has not judged."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer
        self.name, self.streams = answerer.name, answerer.streams
        self.network = answerer.network

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        return self._answerer.frame_size(width, height, prompt)

    def accelerator(self) -> Accelerator | None:
        return self._answerer.accelerator()

    def close(self) -> None:
        self._answerer.close()

    def comment(
        self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
    ) -> Comment:
        """Ask, and once more with other sampling if the answer is no comment; tell what it took.

        The good part of a first answer outlives a failure of the second.
        """
        said = previous.text if previous else None
        first = self._answerer.answer(window, prompt, said, draft)
        verdict = judge(first.text, first.stopped_by, said)
        if not verdict.ask_again:
            return _comment([first], [verdict])
        draft.text = ""
        try:
            second = self._answerer.answer(window, _otherwise(prompt), said, draft)
        except AppError as failure:
            if not verdict.text:
                raise
            note = f"Asked again in vain: {failure}"
            return _comment([replace(first, notes=(*first.notes, note))], [verdict])
        return _comment([first, second], [verdict, judge(second.text, second.stopped_by, said)])

    def tell(self, matter: Matter, prompt: Prompt, draft: Draft) -> Told:
        """Ask, and once more with other sampling if nothing is told; what it took counts both."""
        answers = [self._answerer.write(matter, prompt, draft)]
        verdicts = [judge(answers[0].text, answers[0].stopped_by, None)]
        if verdicts[0].kind is not CommentKind.SAID:
            draft.text = ""
            answers.append(self._answerer.write(matter, _otherwise(prompt), draft))
            verdicts.append(judge(answers[1].text, answers[1].stopped_by, None))
        best = verdicts[-1]
        title, text = split_title(best.text)
        return Told(
            title,
            text,
            reason=None if best.kind is CommentKind.SAID else _reason(verdicts),
            timings=_sum([answer.timings for answer in answers]),
            tokens_in=_total([answer.tokens_in for answer in answers]),
            tokens_out=_total([answer.tokens_out for answer in answers]),
        )


def split_title(answer: str) -> tuple[str, str]:
    """Part an answer into its title and the rest, without what networks like to put around a title.

    Where there is one line only, its beginning is the title as well.
    """
    first, _, rest = answer.strip().partition("\n")
    text = " ".join(rest.split()) or " ".join(first.split())
    title = re.sub(r"^[#*\s]*(title\s*:)?[\s*\"“]*", "", first, flags=re.IGNORECASE)
    title = " ".join(title.strip(' *"”.:').split())
    if len(title) > LONGEST_TITLE:
        title = title[: LONGEST_TITLE - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
    return title, text


def _otherwise(prompt: Prompt) -> Prompt:
    """Ask for other words: warmer, against repetition, with other chances."""
    asked = prompt.prompting
    return prompt if asked is None else replace(prompt, prompting=_warmer(asked))


def _warmer(asked: Prompting) -> Prompting:
    return replace(
        asked,
        temperature=max(asked.temperature, 0.7),
        repetition_penalty=min(asked.repetition_penalty + 0.1, 2.0),
        seed=asked.seed + 2**31,
    )


def _comment(answers: list[Answer], verdicts: list[Verdict]) -> Comment:
    """Make one comment of the best answer; time and tokens count all of them."""
    best = _best(verdicts)
    notes = [*dict.fromkeys(note for answer in answers for note in answer.notes)]
    notes += _remarks(verdicts, best)
    costs = [answer.cost for answer in answers if answer.cost is not None]
    facts = {"notes": notes} if notes else {}
    return Comment(
        best.kind,
        best.text,
        reason=_reason(verdicts) if best.kind is CommentKind.EMPTY else None,
        facts=facts | ({"cost": sum(costs)} if costs else {}) or None,
        timings=_sum([answer.timings for answer in answers]),
        tokens_in=_total([answer.tokens_in for answer in answers]),
        tokens_out=_total([answer.tokens_out for answer in answers]),
    )


def _best(verdicts: list[Verdict]) -> Verdict:
    """Prefer an answer without flaw, then a later good part, then any."""
    flawless = [verdict for verdict in verdicts if not verdict.flaw]
    said = [verdict for verdict in reversed(verdicts) if verdict.kind is CommentKind.SAID]
    return [*flawless, *said, *verdicts][0]


def _reason(verdicts: list[Verdict]) -> str:
    flaws = "; ".join(dict.fromkeys(verdict.flaw or "nothing new" for verdict in verdicts))
    tries = "asked twice" if len(verdicts) > 1 else "asked once"
    return f"The network gave no usable comment ({tries}): {flaws}."


def _remarks(verdicts: list[Verdict], best: Verdict) -> list[str]:
    """Say what is not as the network wrote it at once."""
    if best.kind is CommentKind.EMPTY:
        return []
    remarks = [f"Asked again: {verdicts[0].flaw}."] if len(verdicts) > 1 else []
    return [*remarks, f"Shortened: {best.flaw}."] if best.flaw else remarks


def _total(counts: list[int | None]) -> int | None:
    """Add up; what is partly unknown is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _sum(timings: list[Timings]) -> Timings:
    return Timings(
        waiting_ms=sum(one.waiting_ms for one in timings),
        vision_ms=sum(one.vision_ms for one in timings),
        prefill_ms=sum(one.prefill_ms for one in timings),
        generate_ms=sum(one.generate_ms for one in timings),
    )
