"""What the device must know to read a pass of prompts: one run of numbers, so one upload.

Made of NumPy's arrays: each of torch's calls would give Python's lock away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import numpy as np
import torch
from torch import Tensor

from worker.minicpm.cache import Pieces
from worker.minicpm.prompt import EncodedPrompt

FILLER = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class Size:
    """As much as a pass is padded to."""

    pieces: int
    tokens: int

    @property
    def most_numbers(self) -> int:
        """That a packed pass of this size may have."""
        return 3 * self.pieces + 1 + 4 * self.tokens + 8


@dataclass(frozen=True, slots=True)
class Padding:
    """Where tokens belong that only fill up a pass: positions of a slot that holds no window."""

    size: Size
    spare: int  # slot
    room: int  # its positions; they are written to again and again where it has too few


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """Which vectors a pass is made of. All int64, on the device."""

    ids: Tensor  # (W,) of its words
    words: Tensor  # (W,) where among the tokens they stand
    places: Tensor  # (P,) where what is seen of views stands, in order


@dataclass(frozen=True, slots=True)
class PackedPrompts:
    """Numbers on the host: slots, before, token_slots, positions, starts, ids, words, places.

    Padded passes of one size have all but the last three in the same place. Each of the eight begins
    at a multiple of 16 bytes: Triton compiles kernels apart for others.
    """

    numbers: Tensor  # int64
    lengths: tuple[int, ...]  # of each of the eight and of what is between it and the next
    longest: int

    @classmethod
    def pack(
        cls,
        prompts: Sequence[EncodedPrompt],
        slots: Sequence[int],
        known: Sequence[int],
        queries: int,
        padding: Padding | None = None,
    ) -> Self:
        """Lay what is not known of each prompt one behind the other; a view has `queries` places."""
        pairs = list(zip(prompts, known, strict=True))
        counts = [len(prompt.ids) - skip for prompt, skip in pairs]
        starts = [0, *accumulate(counts)]
        shifts = [start - skip for start, skip in zip(starts[:-1], known, strict=True)]
        ids = np.concatenate([prompt.ids[skip:] for prompt, skip in pairs])
        first_places = [
            shift + start
            for prompt, shift in zip(prompts, shifts, strict=True)
            for start in prompt.view_starts
        ]
        places = np.add.outer(np.array(first_places, np.int64), np.arange(queries)).ravel()
        is_word = np.ones(starts[-1], np.bool_)
        is_word[places] = False
        words = is_word.nonzero()[0]
        token_slots = np.repeat(slots, counts)
        positions = np.arange(starts[-1]) - np.repeat(shifts, counts)
        longest = max(counts)
        if padding is not None:
            longest, size = padding.size.tokens, padding.size
            more, extra = size.pieces - len(counts), size.tokens - starts[-1]
            slots, known = [*slots, *[padding.spare] * more], [*known, *[0] * more]
            starts += [starts[-1]] * more
            token_slots = np.append(token_slots, np.full(extra, padding.spare))
            positions = np.append(positions, np.arange(extra) % padding.room)
        parts = (slots, known, token_slots, positions, starts, ids[words], words, places)
        chunks = [chunk for part in parts for chunk in (part, FILLER[: len(part) % 2])]
        numbers = np.concatenate(chunks).astype(np.int64, copy=False)
        return cls(torch.from_numpy(numbers), tuple(map(len, chunks)), longest)

    def read(self, numbers: Tensor) -> tuple[Pieces, EmbeddingPlan]:
        """Find its parts in `numbers`, a copy of its own."""
        parts = numbers.split(self.lengths)[::2]
        slots, before, token_slots, positions, starts, *plan = parts
        pieces = Pieces(slots, starts, before, token_slots, positions, self.longest)
        return pieces, EmbeddingPlan(*plan)
