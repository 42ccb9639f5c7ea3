"""The network's own chat template and processor: words and pictures → what it reads.

What people and earlier answers say is kept from being read as the network's control tokens: each
is broken by a space before the template sees it, and what the processor makes of the whole must
hold the very control tokens that it makes of harmless words.
"""

import copy
import re
import threading
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from PIL import Image

from worker.thoughts import without_thoughts
from worker.transformers.errors import CannotLoad, PromptRefusedHere
from worker.transformers.network import Network

_HARMLESS = "x"
_SENTINEL = "qzxjv"
_ANY_SIZE = (64, 64)
_REMEMBERED = 256  # shapes of prompts: a job has one or two
_HALF = "�"  # what half a character decodes to


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """What one window asks, before it is made into numbers."""

    text: str  # rendered by the template, with a mark for each picture
    pictures: tuple[Image.Image, ...]
    controls: tuple[int, ...]  # the control tokens that it must have, in order
    notes: tuple[str, ...] = ()  # what was left out, as sentences


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the processor makes of some pictures with harmless words."""

    tokens: int
    controls: tuple[int, ...]


class Prompts:
    """Safe to share between threads."""

    def __init__(self, network: Network) -> None:
        """Try the template and the processor. Raises CannotLoad."""
        self._processor, self._context = network.processor, network.context
        tokenizer = self._processor.tokenizer
        self._speller = copy.deepcopy(tokenizer)  # the library's can't spell while it reads
        self._spelling, self._reading = threading.Lock(), threading.Lock()
        template = str(self._processor.chat_template or tokenizer.chat_template)
        self._switches = {"enable_thinking": False} if "enable_thinking" in template else {}
        self._shapes: dict[tuple[int, tuple[int, int]], _Shape] = {}
        marks = _control_marks(self._processor)
        self._marks = re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))))
        known = tokenizer.convert_tokens_to_ids(list(marks))
        self._control_ids = frozenset(known) - {None, tokenizer.unk_token_id}
        try:
            self._takes_system = self._heeds_system()
            words, picture = self._shape(0, _ANY_SIZE), self._shape(1, _ANY_SIZE)
        except (TemplateError, ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
            raise CannotLoad(
                f"its chat template or processor takes no picture with words ({str(error)[:200]})"
            ) from error
        if picture.tokens <= words.tokens:
            raise CannotLoad("its chat template leaves pictures out")

    def ask(
        self, system: str, question: str, pictures: Sequence[Image.Image], answer_tokens: int
    ) -> Asking:
        """Lay a prompt out, leaving pictures of one size out evenly if there are too many.

        Raises PromptRefusedHere if not even one fits beside the words and the answer, or the words alone
        don't where there are no pictures.
        """
        words = self._defuse(system), self._defuse(question)
        total, size = len(pictures), pictures[0].size if pictures else _ANY_SIZE
        fitting = self._fitting(words, total, size, answer_tokens)
        kept = tuple(pictures[(number * total) // fitting] for number in range(fitting))
        note = f"{total - fitting} of {total} pictures were left out to fit {self._context} tokens."
        return Asking(
            self._render(*words, fitting),
            kept,
            self._shape(fitting, size).controls,
            (note,) if fitting < total else (),
        )

    def read(self, askings: Sequence[Asking]) -> Any:
        """Return the processor's batch: its tensors by name, rows padded on the left.

        All of the rows have pictures, or none has.
        """
        pictures = [list(asking.pictures) for asking in askings]
        return self._process(
            [asking.text for asking in askings], pictures if any(pictures) else None
        )

    def controls(self, ids: Iterable[int]) -> tuple[int, ...]:
        """Return what of a row, padding left out, are control tokens."""
        return tuple(number for number in ids if number in self._control_ids)

    def spell(self, asking: Asking, tokens: Sequence[int]) -> str:
        """Return what of an answer is meant for the reader: no thoughts, no half character."""
        begun = "<think>" if asking.text.rstrip().endswith("<think>") else ""
        with self._spelling:
            text = self._speller.decode(tokens, skip_special_tokens=True)
        return without_thoughts(begun + text.rstrip(_HALF))

    def _heeds_system(self) -> bool:
        """Tell whether the template has a place for a system turn; some refuse or drop it."""
        self._takes_system = True
        try:
            return _SENTINEL in self._render(_SENTINEL, _HARMLESS, 1)
        except TemplateError:
            return False

    def _defuse(self, text: str) -> str:
        """Break whatever would be read as a control token by a space behind its first character."""
        for _ in range(10):  # a broken one may leave another, shorter one
            text, count = self._marks.subn(lambda m: f"{m[0][0]} {m[0][1:]}", text)
            if not count:
                break
        return text

    def _render(self, system: str, question: str, pictures: int) -> str:
        shown = [{"type": "image"}] * pictures
        user = [*shown, {"type": "text", "text": question}]
        turns = [{"role": "user", "content": user}]
        if self._takes_system:
            said = [{"type": "text", "text": system}]
            turns.insert(0, {"role": "system", "content": said})
        else:
            user.insert(0, {"type": "text", "text": f"{system}\n\n"})
        rendered: str = self._processor.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=False, **self._switches
        )
        return rendered

    def _fitting(
        self, words: tuple[str, str], total: int, size: tuple[int, int], answer_tokens: int
    ) -> int:
        """Return how many of the pictures have room. Raises PromptRefusedHere if none has."""
        if self._context is None:
            return total
        room = self._context - answer_tokens
        if self._count(words, total, size) <= room:
            return total
        least = min(total, 1)
        fewer = range(1, total)
        fitting = bisect_right(fewer, room, key=lambda number: self._count(words, number, size))
        if fitting:
            return fitting
        raise PromptRefusedHere(
            f"the prompt with {least} picture{'' if least == 1 else 's'} has {self._count(words, least, size)} tokens, and there is room "
            f"for {max(room, 0)} beside an answer of {answer_tokens}"
        )

    def _count(self, words: tuple[str, str], pictures: int, size: tuple[int, int]) -> int:
        """Return how many tokens a prompt has, without making numbers of its pictures."""
        harmless = self._render(_HARMLESS, _HARMLESS, pictures)
        more = self._length(self._render(*words, pictures)) - self._length(harmless)
        return self._shape(pictures, size).tokens + more

    def _length(self, text: str) -> int:
        with self._spelling:
            return len(self._speller.encode(text, add_special_tokens=False))

    def _shape(self, pictures: int, size: tuple[int, int]) -> _Shape:
        known = self._shapes.get((pictures, size))
        if known is None:
            text = self._render(_HARMLESS, _HARMLESS, pictures)
            blank = [Image.new("RGB", size)] * pictures
            ids = self._process([text], [blank] if blank else None)["input_ids"][0].tolist()
            known = _Shape(len(ids), self.controls(ids))
            if len(self._shapes) >= _REMEMBERED:
                self._shapes.clear()
            self._shapes[pictures, size] = known
        return known

    def _process(self, texts: list[str], pictures: list[list[Image.Image]] | None) -> Any:
        begin = self._processor.tokenizer.bos_token
        written = {"add_special_tokens": False} if begin and texts[0].startswith(begin) else {}
        with self._reading:
            return self._processor(
                text=texts, images=pictures, padding=True, return_tensors="pt", **written
            )


def _control_marks(processor: Any) -> set[str]:
    """Return what the tokenizer or the processor reads as more than text; some have many HTML tags."""
    tokenizer = processor.tokenizer
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    named = [
        value
        for owner in (processor, tokenizer)
        for name, value in vars(owner).items()
        if name.endswith("_token") and isinstance(value, str)
    ]
    marks = {*added, *named, *tokenizer.all_special_tokens}
    return {mark for mark in marks if len(mark.strip()) > 1}
