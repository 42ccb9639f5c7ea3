"""What the device keeps of each slot, so that a step needs nothing from the host but slot numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from worker.minicpm.sampling import Sampling, penalise
from worker.minicpm.transfer import upload

OVERFLOWED = -1  # in place of a token


class SlotState:
    """Tensors of one row per slot. All methods but `begin` take `slots` (B,) int64 on the device.

    The last slot is the spare one, which rows have that only fill up a step.
    """

    def __init__(
        self, slots: int, vocabulary: int, stop_ids: Sequence[int], device: torch.device
    ) -> None:
        self._device = device
        self.newest = torch.zeros(slots, dtype=torch.long, device=device)  # token
        self._wholes = torch.zeros(3, slots, dtype=torch.long, device=device)
        # tokens held in the cache; to be written before a row may stop; written
        self.lengths, self._least, self._count = self._wholes
        self._penalty = torch.ones(slots, device=device)
        self._written = torch.zeros(slots, vocabulary, dtype=torch.bool, device=device)
        self._true = torch.ones((), dtype=torch.bool, device=device)  # a graph takes no constant
        self._stops = torch.tensor(stop_ids, dtype=torch.long, device=device)

    def begin(
        self, slots: Sequence[int], lengths: Sequence[int], samplings: Sequence[Sampling]
    ) -> Tensor:
        """Note new rows whose prompts have these lengths; return `slots` on the device."""
        least = [rule.min_new_tokens for rule in samplings]
        penalties = [rule.repetition_penalty for rule in samplings]
        columns = [slots, lengths, least, [0] * len(slots), penalties]
        facts = torch.tensor(columns, dtype=torch.float32)  # which holds such numbers exactly
        facts = upload(facts, self._device)
        wholes = facts[:4].long()
        where = wholes[0]
        self._wholes[:, where], self._penalty[where] = wholes[1:], facts[4]
        self._written.index_fill_(0, where, False)  # by index, a constant would wait for the device
        return where

    def grow(self, slots: Tensor) -> None:
        """One token more is in the cache. The spare slot stays empty: all it holds would be read."""
        self.lengths[slots] = self.lengths[slots] + 1
        self.lengths[-1:].zero_()

    def rule(self, slots: Tensor, scores: Tensor, penalised: bool) -> Tensor:
        """Apply penalties and the least length to scores (B, V)."""
        if penalised:
            scores = penalise(scores, self._written[slots], self._penalty[slots])
        early = (self._count[slots] < self._least[slots])[:, None]
        stops = scores[:, self._stops]
        return scores.index_copy(1, self._stops, stops.masked_fill(early, -torch.inf))

    def note(self, slots: Tensor, scores: Tensor, chosen: Tensor) -> Tensor:
        """Keep the chosen tokens (B,); return them, OVERFLOWED where scores weren't all finite."""
        self.newest[slots] = chosen
        self._written.index_put_((slots, chosen), self._true)
        self._count[slots] += 1
        return chosen.where(scores.isfinite().all(-1), OVERFLOWED)
