"""Answers being written side by side: rows join and leave at any step, one cache slot each.

Knows no threads and no clocks but its own stopwatch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from time import perf_counter

import torch
from torch import Tensor

from worker.minicpm.errors import NumbersOverflowed, PromptTooLong
from worker.minicpm.graphs import DecodeGraphs
from worker.minicpm.network import Network
from worker.minicpm.prompt import EncodedPrompt
from worker.minicpm.sampling import Sampling, choose, penalise

OVERFLOWED = -1  # in place of a token
PREFILL_TOKENS = 8192  # most tokens read at once, padding included; bounds the memory of prefill


@dataclass(slots=True)
class Row:
    """One answer being written."""

    sampling: Sampling
    length: int  # tokens in its slot
    dice: Random
    tokens: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Admission:
    """What it took to start some rows, in milliseconds; each waited for all of it."""

    vision_ms: float
    prefill_ms: float


class Batch:
    """Row i lives in cache slot i. Not safe to share between threads."""

    def __init__(self, network: Network, stop_ids: frozenset[int], slots: int, room: int) -> None:
        self.network, self.room = network, room
        self.cache = network.new_cache(slots, room)
        self._graphs = DecodeGraphs(network, self.cache) if network.device.type == "cuda" else None
        self._rows: list[Row | None] = [None] * slots
        self._stops = torch.tensor(sorted(stop_ids))
        shape = (slots, network.config.language.vocab_size)
        self._written = torch.zeros(shape, dtype=torch.bool, device=network.device)

    @property
    def free(self) -> list[int]:
        """Slots that can be taken, lowest first."""
        return [slot for slot, row in enumerate(self._rows) if row is None]

    def check(self, prompt: EncodedPrompt, sampling: Sampling) -> None:
        """Raise PromptTooLong unless prompt and answer fit into a slot together."""
        needed = len(prompt.ids) + sampling.max_new_tokens
        if needed > self.room:
            raise PromptTooLong(
                f"{len(prompt.ids)} tokens and an answer of up to {sampling.max_new_tokens} "
                f"need {needed} of {self.room} places"
            )

    @torch.inference_mode()
    def admit(
        self, slots: Sequence[int], prompts: Sequence[EncodedPrompt], samplings: Sequence[Sampling]
    ) -> Admission:
        """Start rows in free slots and write their first token. All or none start."""
        for prompt, sampling in zip(prompts, samplings, strict=True):
            self.check(prompt, sampling)
        started = perf_counter()
        seen = self.network.look([view for prompt in prompts for view in prompt.views])
        self._finish_work()
        looked = perf_counter()
        scores = self._read(slots, prompts, seen)
        rows = [
            Row(sampling, len(prompt.ids), sampling.new_dice())
            for prompt, sampling in zip(prompts, samplings, strict=True)
        ]
        self._written[list(slots)] = False
        self._choose(list(slots), rows, scores)
        for slot, row in zip(slots, rows, strict=True):
            self._rows[slot] = row
        return Admission((looked - started) * 1000, (perf_counter() - looked) * 1000)

    @torch.inference_mode()
    def step(self) -> None:
        """Write one more token in every row."""
        slots = [slot for slot, row in enumerate(self._rows) if row]
        width = slots[-1] + 1
        rows = [row or Row(Sampling(), 0, Random(0), [0]) for row in self._rows[:width]]
        device = self.network.device
        tokens = torch.tensor([row.tokens[-1] for row in rows], device=device)
        lengths = torch.tensor([row.length for row in rows], device=device)
        span = min(round_span(1 + max(row.length for row in rows)), self.room)
        if self._graphs is not None:
            scores = self._graphs.decode_step(tokens, lengths, span)
        else:
            scores = self.network.decode_step(tokens, lengths, self.cache, span)
        for row in rows:
            row.length += 1
        self._choose(slots, [rows[slot] for slot in slots], scores[slots])

    def row(self, slot: int) -> Row:
        row = self._rows[slot]
        if row is None:
            raise LookupError(f"slot {slot} is free")
        return row

    def release(self, slot: int) -> None:
        """Give the slot back."""
        self._rows[slot] = None

    def _read(self, slots: Sequence[int], prompts: Sequence[EncodedPrompt], seen: Tensor) -> Tensor:
        """Prefill in passes of bounded size; like lengths go together. Returns (B, V)."""
        first_view = [0]
        for prompt in prompts:
            first_view.append(first_view[-1] + len(prompt.view_starts))
        scores: dict[int, Tensor] = {}
        for chosen in passes([len(prompt.ids) for prompt in prompts], PREFILL_TOKENS):
            views = [v for i in chosen for v in range(first_view[i], first_view[i + 1])]
            part = self.network.prefill(
                [prompts[i] for i in chosen], seen[views], self.cache, [slots[i] for i in chosen]
            )
            scores |= dict(zip(chosen, part, strict=True))
        return torch.stack([scores[i] for i in range(len(prompts))])

    def _choose(self, slots: list[int], rows: list[Row], scores: Tensor) -> None:
        """Append a token to each row, from scores (B, V); `slots` are where the rows live.

        A row whose scores are not all finite gets OVERFLOWED.
        """
        sound = scores.isfinite().all(-1)
        rules = [row.sampling for row in rows]
        scores = penalise(scores, self._written[slots], [r.repetition_penalty for r in rules])
        early = [i for i, row in enumerate(rows) if len(row.tokens) < row.sampling.min_new_tokens]
        if early:
            scores = scores.clone()
            scores[torch.tensor(early)[:, None], self._stops] = -torch.inf
        chosen = choose(scores, rules, [row.dice.random() for row in rows])
        self._written[torch.tensor(slots, device=chosen.device), chosen] = True
        chosen = chosen.where(sound, OVERFLOWED)
        for row, token in zip(rows, chosen.tolist(), strict=True):  # waits for the device
            row.tokens.append(token)

    def _finish_work(self) -> None:
        """Wait for the device, so that the stopwatch tells the truth."""
        if self.network.device.type == "cuda":
            torch.cuda.synchronize(self.network.device)


def round_span(positions: int) -> int:
    """How far to read the cache: a few sizes, each at most a quarter (or 128) too far."""
    step = max(128, (1 << positions.bit_length()) >> 3)
    return -(-positions // step) * step


def passes(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Split rows into passes: longest first, padded to the longest at most `most` tokens each.

    A row longer than that goes alone.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    split: list[list[int]] = []
    for i in order:
        if split and lengths[split[-1][0]] * (len(split[-1]) + 1) <= most:
            split[-1].append(i)
        else:
            split.append([i])
    return split


def generate(
    network: Network,
    prompts: Sequence[EncodedPrompt],
    samplings: Sequence[Sampling],
    stop_ids: frozenset[int],
) -> list[list[int]]:
    """Write all answers together; return each one's tokens, the stopping one included."""
    room = max(len(p.ids) + s.max_new_tokens for p, s in zip(prompts, samplings, strict=True))
    batch = Batch(network, stop_ids, len(prompts), room)
    batch.admit(range(len(prompts)), prompts, samplings)
    answers: list[list[int]] = [batch.row(slot).tokens for slot in range(len(prompts))]
    while True:
        for slot in set(range(len(prompts))) - set(batch.free):
            if answers[slot][-1] == OVERFLOWED:
                raise NumbersOverflowed
            if (
                answers[slot][-1] in stop_ids
                or len(answers[slot]) == samplings[slot].max_new_tokens
            ):
                batch.release(slot)
        if len(batch.free) == len(prompts):
            return answers
        batch.step()
