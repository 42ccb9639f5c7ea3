"""Answers being written side by side: rows join and leave at any step, one cache slot each.

Work is queued on the device ahead of its results: `admit` and `step` only ask for it, `collect`
waits for the tokens. Knows no threads.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import torch
from torch import Tensor

from worker.minicpm.cuda_graphs import DecodeGraphs, Step
from worker.minicpm.errors import NumbersOverflowed, PromptTooLong
from worker.minicpm.memory_plan import FAST, Limits
from worker.minicpm.network import Network
from worker.minicpm.prefill_graphs import PrefillGraphs
from worker.minicpm.prefix_cache import PrefixCache
from worker.minicpm.prompt import EncodedPrompt
from worker.minicpm.sampling import Sampling, choose
from worker.minicpm.slot_state import OVERFLOWED, SlotState
from worker.minicpm.stopwatch import Mark, mark, milliseconds
from worker.minicpm.transfer import upload
from worker.minicpm.triton_support import runs_triton
from worker.minicpm.vision_cache import VisionCache


@dataclass(slots=True, eq=False)
class Row:
    """One answer being written."""

    slot: int
    sampling: Sampling
    dice: Random
    tokens: list[int] = field(default_factory=list)  # that have arrived
    asked: int = 0  # tokens that the device was asked for
    vision_ms: float = 0.0  # of all the rows admitted together; known with the first token
    prefill_ms: float = 0.0
    gone: bool = False  # released; what still arrives for it is dropped


@dataclass(frozen=True, slots=True)
class Launch:
    """Tokens on their way from the device, one for each row."""

    rows: Sequence[Row]
    tokens: Tensor  # (rows,) on the host
    marks: tuple[Mark, Mark, Mark] | None  # of an admission: begun, looked, read
    arrived: torch.cuda.Event | None


class Batch:
    """Not safe to share between threads."""

    def __init__(
        self,
        network: Network,
        stop_ids: frozenset[int],
        slots: int,
        room: int,
        limits: Limits = FAST,
    ) -> None:
        self.network, self.room, self.slots, self.limits = network, room, slots, limits
        self.cache = network.new_cache(slots + 1, room)  # the last one is for rows that fill up
        device = self._device = network.device
        vocabulary = network.config.language.vocab_size
        self._state = SlotState(slots + 1, vocabulary, sorted(stop_ids), device)
        self._prefix_cache = PrefixCache(limits.kept_tokens)
        self._vision_cache = VisionCache(network.look, limits.kept_views)
        captured = (
            limits.captured_tokens if runs_triton(device) else 0
        )  # torch's attention can't be
        self._prefill_graphs = PrefillGraphs(network, self.cache, slots, captured)
        self._rows: dict[int, Row] = {}  # by slot
        self._launches: deque[Launch] = deque()
        if device.type == "cuda":
            _ = network.llm.megakernel  # compiled while all else is made ready
        steps: list[Step] = [self._score, self._write_greedily, self._write_penalised]
        if device.type == "cuda":
            steps = [DecodeGraphs(step, slots, device, network.capturer) for step in steps]
        self._do_score, self._do_write, self._do_write_penalised = steps

    @property
    def free(self) -> list[int]:
        """Slots that can be taken, lowest first."""
        return [slot for slot in range(self.slots) if slot not in self._rows]

    @property
    def busy(self) -> bool:
        """Rows are being written, or tokens are on their way."""
        return bool(self._rows or self._launches)

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
        self, prompts: Sequence[EncodedPrompt], samplings: Sequence[Sampling]
    ) -> Sequence[Row]:
        """Start rows in free slots and ask for their first token. All or none start."""
        for prompt, sampling in zip(prompts, samplings, strict=True):
            self.check(prompt, sampling)
        slots = self.free[: len(prompts)]
        begun = mark(self._device)
        seen = self._vision_cache.look([view for prompt in prompts for view in prompt.views])
        looked = mark(self._device)
        where = self._state.begin(slots, [len(prompt.ids) for prompt in prompts], samplings)
        scores = self._read(slots, prompts, seen)
        rows = [
            Row(slot, sampling, sampling.new_dice())
            for slot, sampling in zip(slots, samplings, strict=True)
        ]
        tokens = self._choose(rows, where, scores)
        self._launch(rows, tokens, (begun, looked, mark(self._device)))
        self._rows |= {row.slot: row for row in rows}
        return rows

    @torch.inference_mode()
    def step(self) -> bool:
        """Ask for one more token in every row that may have one; return whether any may."""
        rows = [row for row in self._rows.values() if row.asked < row.sampling.max_new_tokens]
        if not rows:
            return False
        slots = torch.tensor([row.slot for row in rows])
        if any(row.sampling.temperature > 0 for row in rows):
            where = upload(slots, self._device)
            tokens = self._choose(rows, where, self._do_score(slots))
        elif any(row.sampling.repetition_penalty != 1 for row in rows):
            tokens = self._do_write_penalised(slots)
        else:
            tokens = self._do_write(slots)
        self._launch(rows, tokens, None)
        return True

    def collect(self, ahead: int = 0) -> list[Row]:
        """Wait for tokens until only `ahead` launches are under way; return who got one, in order.

        A row whose scores were not all finite gets OVERFLOWED.
        """
        heard: list[Row] = []
        while len(self._launches) > ahead:
            launch = self._launches.popleft()
            if launch.arrived is not None:
                launch.arrived.synchronize()
            for row, token in zip(launch.rows, launch.tokens.tolist(), strict=True):
                if row.gone:
                    continue
                row.tokens.append(token)
                if launch.marks is not None:
                    begun, looked, read = launch.marks
                    row.vision_ms = milliseconds(begun, looked)
                    row.prefill_ms = milliseconds(looked, read)
                heard.append(row)
        return heard

    def release(self, row: Row) -> None:
        """Give the row's slot back."""
        row.gone = True
        del self._rows[row.slot]

    @torch.inference_mode()
    def prepare(self) -> bool:
        """Capture one of the sizes in which prompts are read; return whether there are more."""
        return self._prefill_graphs.prepare()

    def forget(self) -> None:
        """Drop what is kept for later prompts: memory is short.

        Graphs stay: without them the same work takes as much memory.
        """
        self._prefix_cache.clear()
        self._vision_cache.clear()

    def _read(self, slots: Sequence[int], prompts: Sequence[EncodedPrompt], seen: Tensor) -> Tensor:
        """Prefill in passes of bounded size. Returns (B, V)."""
        scores: list[Tensor] = []
        views = 0
        runs = passes([len(prompt.ids) for prompt in prompts], self.limits.tokens)
        for first, stop in runs:
            some, where = prompts[first:stop], slots[first:stop]
            count = sum(len(prompt.view_starts) for prompt in some)
            known = [
                self._prefix_cache.restore(p, self.cache, s)
                for p, s in zip(some, where, strict=True)
            ]
            part = seen[views : views + count]
            read = self._prefill_graphs(some, part, where, known)
            scores.append(read if len(runs) == 1 else read.clone())  # the next pass overwrites it
            views += count
            for prompt, slot in zip(some, where, strict=True):
                self._prefix_cache.remember(prompt, self.cache, slot)
        return scores[0] if len(runs) == 1 else torch.cat(scores)

    def _score(self, slots: Tensor) -> Tensor:
        """Read the newest token of slots (B,) on the device; return the scores (B, V) of the next."""
        llm, state = self.network.llm, self._state
        x = llm.embed(state.newest[slots])
        scores = llm.decode_step(x, slots, state.lengths[slots], self.cache)
        state.grow(slots)
        return scores

    def _write_greedily(self, slots: Tensor, penalised: bool = False) -> Tensor:
        """Write one token more in slots (B,) whose rows are all greedy; return them (B,)."""
        scores = self._score(slots)
        best = self._state.rule(slots, scores, penalised).argmax(-1)
        return self._state.note(slots, scores, best)

    def _write_penalised(self, slots: Tensor) -> Tensor:
        return self._write_greedily(slots, penalised=True)

    def _choose(self, rows: Sequence[Row], where: Tensor, scores: Tensor) -> Tensor:
        """Choose a token per row (B,) from scores (B, V), each by its own rules."""
        rules = [row.sampling for row in rows]
        penalised = any(row.asked and row.sampling.repetition_penalty != 1 for row in rows)
        ruled = self._state.rule(where, scores, penalised)
        chosen = choose(ruled, rules, [row.dice.random() for row in rows])
        return self._state.note(where, scores, chosen)

    def _launch(
        self, rows: Sequence[Row], tokens: Tensor, marks: tuple[Mark, Mark, Mark] | None
    ) -> None:
        """Send tokens on their way to the host."""
        for row in rows:
            row.asked += 1
        if self._device.type != "cuda":
            self._launches.append(Launch(rows, tokens, marks, None))
            return
        landing = torch.empty(len(rows), dtype=tokens.dtype, pin_memory=True)
        landing.copy_(tokens, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        self._launches.append(Launch(rows, landing, marks, arrived))


def passes(lengths: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Split rows, in order, into runs [first, stop) of at most `most` tokens; a longer row goes alone."""
    split: list[tuple[int, int]] = []
    first, tokens = 0, 0
    for i, length in enumerate(lengths):
        if i > first and tokens + length > most:
            split.append((first, i))
            first, tokens = i, 0
        tokens += length
    return [*split, (first, len(lengths))]


def generate(
    network: Network,
    prompts: Sequence[EncodedPrompt],
    samplings: Sequence[Sampling],
    stop_ids: frozenset[int],
) -> list[list[int]]:
    """Write all answers together; return each one's tokens, the stopping one included."""
    room = max(len(p.ids) + s.max_new_tokens for p, s in zip(prompts, samplings, strict=True))
    batch = Batch(network, stop_ids, len(prompts), room)
    rows = batch.admit(prompts, samplings)
    while batch.busy:
        for row in batch.collect():
            if row.tokens[-1] == OVERFLOWED:
                raise NumbersOverflowed
            if row.tokens[-1] in stop_ids or len(row.tokens) == row.sampling.max_new_tokens:
                batch.release(row)
        batch.step()
    return [row.tokens for row in rows]
