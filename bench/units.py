"""The windows that the runtime's speed is told in: fixed numbers of frames, text and answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from worker.minicpm import Message, PromptStyle, Request, Sampling
from worker.minicpm.config import QUERIES
from worker.minicpm.preprocess import Picture
from worker.minicpm.prompt import PromptEncoder

NUMBERS = count(1)  # of windows, never used twice in a process
POOL = 64  # different frames, drawn once
SIDE = 448  # pixels of a square frame: one view of 32 × 32 patches
BRIEF = "You comment a video for people who can't see it. Say in one or two sentences what is new. "
WORDS = "The man walks to the left and opens a red door, then he looks back and waves at them. "


@dataclass(frozen=True, slots=True)
class Unit:
    """One kind of window."""

    name: str
    frames: int
    text_tokens: int  # all that aren't places of a picture, the template's own included
    new_tokens: int
    seconds: float | None = None  # of video that it stands for

    @property
    def prompt_tokens(self) -> int:
        return self.frames * QUERIES + self.text_tokens

    @property
    def tokens(self) -> int:
        """Prompt and answer together."""
        return self.prompt_tokens + self.new_tokens


UNIT_A = Unit("A", frames=4, text_tokens=120, new_tokens=48)
UNIT_B = Unit("B", frames=20, text_tokens=120, new_tokens=100, seconds=10)


class Windows:
    """Makes requests of one unit, each with pictures of its own, so that nothing is known before."""

    def __init__(self, unit: Unit, encoder: PromptEncoder, shared: int = 0) -> None:
        """About `shared` tokens at the beginning are the same in all: a system prompt."""
        self.unit, self._encoder = unit, encoder
        shape = (POOL, SIDE, SIDE, 3)
        self._pool = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        self._brief = self._text(BRIEF, shared) if shared else ""
        self._question = ""
        wanted = unit.prompt_tokens
        while (length := self._length()) < wanted:
            self._question += self._text(WORDS, wanted - length)
        if length > wanted:
            raise ValueError(f"a window of unit {unit.name} has {length} tokens, not {wanted}")

    def __iter__(self) -> Iterator[Request]:
        while True:
            yield self.request(next(NUMBERS))

    def request(self, number: int) -> Request:
        """The window of this number; greedy, of the unit's full length."""
        rule = Sampling(max_new_tokens=self.unit.new_tokens, min_new_tokens=self.unit.new_tokens)
        return Request(self._messages(self._pictures(number), self._question), rule)

    def _messages(self, pictures: list[Picture], question: str) -> list[Message]:
        system = [Message("system", (self._brief,))] if self._brief else []
        return [*system, Message("user", (*pictures, question))]

    def _pictures(self, number: int) -> list[Picture]:
        """Frames that no other window has: drawn beforehand, and stamped with the number."""
        first = number * self.unit.frames
        chosen = [self._pool[(first + i) % len(self._pool)].copy() for i in range(self.unit.frames)]
        for i, picture in enumerate(chosen):
            picture[0, :8, 0] = np.frombuffer((first + i).to_bytes(8, "big"), dtype=np.uint8)
        return chosen

    def _length(self) -> int:
        """Tokens of a prompt."""
        messages = self._messages(self._pictures(0), self._question)
        return len(self._encoder.encode(messages, PromptStyle(), 40960).ids)

    def _text(self, words: str, tokens: int) -> str:
        text = ""
        while len(self._encoder.tokenizer.encode(text)) < tokens:
            text += words[len(text) % len(words)]
        return text
