"""Scores → the next token of every row, each row by its own rules.

A row's choice depends on its own scores, history and seed, never on its neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random, SystemRandom

import torch
from torch import Tensor

from worker.minicpm.transfer import upload


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one answer is written. The default is greedy."""

    max_new_tokens: int = 96  # the stopping token counts
    min_new_tokens: int = 0  # no stopping before
    temperature: float = 0.0  # 0 takes the best token
    top_k: int = 0  # most candidates; 0: all
    top_p: float = 1.0  # probability that the candidates hold together
    repetition_penalty: float = 1.0  # over the tokens written so far, each once; 1: none
    seed: int | None = None  # None: another answer each time

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or not 0 <= self.min_new_tokens <= self.max_new_tokens:
            raise ValueError(f"0 <= min_new_tokens <= max_new_tokens, at least 1: {self}")
        if self.temperature < 0 or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"temperature and top_k are 0 or more, top_p in (0, 1]: {self}")
        if self.repetition_penalty <= 0:
            raise ValueError(f"repetition_penalty must be above 0: {self}")

    def new_dice(self) -> Random:
        """The source of this answer's chances."""
        return SystemRandom() if self.seed is None else Random(self.seed)


def penalise(scores: Tensor, written: Tensor, penalties: Tensor) -> Tensor:
    """Make the tokens marked in `written` (B, V) less likely by each row's factor (B,)."""
    factor = penalties[:, None]
    return torch.where(written, torch.where(scores > 0, scores / factor, scores * factor), scores)


def choose(scores: Tensor, rules: Sequence[Sampling], chances: Sequence[float]) -> Tensor:
    """Choose a token per row (B,) from scores (B, V) after penalties.

    `chances` are one uniform number in [0, 1) per row; greedy rows ignore theirs.
    """
    best = scores.argmax(-1)
    warm = [row for row, rule in enumerate(rules) if rule.temperature > 0]
    if warm:
        rows = upload(torch.tensor(warm), scores.device)
        best[rows] = _draw(
            scores[rows], [rules[row] for row in warm], [chances[row] for row in warm]
        )
    return best


def _draw(scores: Tensor, rules: Sequence[Sampling], chances: Sequence[float]) -> Tensor:
    """Draw by temperature, then top_k, then top_p."""
    size = scores.shape[-1]
    limits = [min(rule.top_k or size, size) for rule in rules]
    columns = torch.tensor(
        [[rule.temperature, rule.top_p, limit, chance]
         for rule, limit, chance in zip(rules, limits, chances, strict=True)],
        dtype=torch.float64,
    )  # fmt: skip
    temperature, top_p, limit, chance = upload(columns, scores.device)[:, :, None].unbind(
        1
    )  # each (B, 1)
    # Best first; of equals the lower id, whatever the other rows ask for: topk promises no order.
    best, ids = (t[:, : max(limits)] for t in scores.sort(dim=-1, descending=True, stable=True))
    best = best.double() / temperature
    best = best.masked_fill(torch.arange(best.shape[-1], device=best.device) >= limit, -torch.inf)
    share = best.softmax(-1)
    share = share.masked_fill(share.cumsum(-1) - share >= top_p, 0)
    reached = share.cumsum(-1)
    place = (reached <= chance * reached[:, -1:]).sum(-1, keepdim=True)
    return ids.gather(-1, place.clamp(max=ids.shape[-1] - 1)).squeeze(-1)
