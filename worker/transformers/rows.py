"""One request in a batch: how each of its words is chosen, and what ends them.

Both hang into the library's `generate` where it provides for that, so that rows with other
samplings, limits and ends share a batch, and none of them changes what another says.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from worker.guard import StopReason
from worker.transformers.errors import Cancelled
from worker.transformers.prompts import Asking


@dataclass(frozen=True, slots=True)
class Sampling:
    """How words are chosen; a temperature of 0 takes the likeliest."""

    max_new_tokens: int
    temperature: float = 0.0
    top_k: int = 0  # 0: all
    top_p: float = 1.0
    repetition_penalty: float = 1.0  # on what the answer itself has said
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a network answered, and how long it took: milliseconds."""

    tokens: tuple[int, ...]
    stopped_by: StopReason
    tokens_in: int
    waiting_ms: float  # until its batch began
    reading_ms: float  # until its batch had read everything and chosen the first word
    writing_ms: float


@dataclass(slots=True, eq=False)
class Row:
    """A request and how far it is. The engine's thread writes it, its own thread reads `tokens`."""

    asking: Asking
    sampling: Sampling
    limit_s: float  # waiting included
    cancelled: threading.Event
    asked_at: float = field(default_factory=time.monotonic)
    reply: "Future[Reply]" = field(default_factory=Future)
    tokens: list[int] = field(default_factory=list)
    tokens_in: int = 0
    begun: float = 0.0
    first: float = 0.0
    _until: float = 0.0
    _chances: torch.Generator | None = None

    @property
    def is_over(self) -> bool:
        return self.reply.done()

    def begin(self, share: float) -> None:
        """Start, or start again in a smaller batch, with a share of the time limit."""
        self.tokens, self.begun, self._chances = [], time.monotonic(), None
        self._until = self.begun + share * self.limit_s

    def fail(self, error: Exception) -> None:
        if not self.is_over:
            self.reply.set_exception(error)

    def take(self, token: int, stops: frozenset[int]) -> None:
        """Add the next token, unless all is said."""
        if self.is_over:
            return
        now = time.monotonic()
        if not self.tokens:
            self.first = now
        self.tokens.append(token)
        if self.cancelled.is_set():
            self.fail(Cancelled())
        elif token in stops:
            self._end("end", now)
        elif len(self.tokens) >= self.sampling.max_new_tokens:
            self._end("length", now)
        elif now > self._until:
            self._end("time", now)

    def _end(self, reason: StopReason, now: float) -> None:
        self.reply.set_result(
            Reply(
                tokens=tuple(self.tokens),
                stopped_by=reason,
                tokens_in=self.tokens_in,
                waiting_ms=1000 * (self.begun - self.asked_at),
                reading_ms=1000 * (self.first - self.begun),
                writing_ms=1000 * (now - self.first),
            )
        )

    def choose(self, scores: Tensor) -> Tensor:
        """Return the scores (V) with this row's sampling heeded: if by chance, all but one are -inf."""
        asked = self.sampling
        if asked.repetition_penalty != 1 and self.tokens:
            said = torch.tensor(sorted(set(self.tokens)), device=scores.device)
            of_said = scores[said]
            less = torch.where(of_said > 0, of_said / asked.repetition_penalty, of_said * asked.repetition_penalty)  # fmt: skip
            scores = scores.index_copy(0, said, less)
        if asked.temperature == 0:
            return scores
        return torch.full_like(scores, -torch.inf).index_fill(0, self._draw(scores), 0.0)

    def _draw(self, scores: Tensor) -> Tensor:
        """Draw one token (1) by temperature, top k and top p: the same for a seed in any company."""
        if self._chances is None:
            self._chances = torch.Generator(scores.device).manual_seed(self.sampling.seed)
        count = min(self.sampling.top_k or len(scores), len(scores))
        best, tokens = torch.topk(scores.float() / self.sampling.temperature, count)
        chances = torch.softmax(best, dim=0)
        before = torch.cumsum(chances, dim=0) - chances
        chances = chances.masked_fill(before >= self.sampling.top_p, 0.0)
        return tokens[torch.multinomial(chances, 1, generator=self._chances)]


class Choosing(LogitsProcessor):
    """Lets each row choose its own next token."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # (B, T), (B, V)
        return torch.stack([row.choose(own) for row, own in zip(self._rows, scores, strict=True)])


class Ending(StoppingCriteria):
    """Hands each row its tokens as they come, and says which rows are over."""

    def __init__(self, rows: Sequence[Row], stops: frozenset[int], prompt_length: int) -> None:
        self._rows, self._stops, self._seen = rows, stops, prompt_length

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:  # (B, T) -> (B)
        for row, tokens in zip(self._rows, input_ids[:, self._seen :].tolist(), strict=True):
            for token in tokens:
                row.take(token, self._stops)
        self._seen = input_ids.shape[1]
        return torch.tensor([row.is_over for row in self._rows], device=input_ids.device)
