"""Prefill, captured as CUDA graphs for a few numbers of tokens, up to which a pass is padded.

A pass is some 330 kernels; to launch them one by one takes a busy host as long as the GPU takes to
run those of one window, and each launch gives Python's lock away.
"""

import logging
import traceback
from collections.abc import Sequence

import torch
from torch import Tensor

from worker.minicpm.cache import KVCache, Pieces
from worker.minicpm.cuda_graphs import CapturedGraph
from worker.minicpm.errors import is_out_of_memory
from worker.minicpm.network import Network
from worker.minicpm.packing import PackedPrompts, Padding, Size
from worker.minicpm.prompt import EncodedPrompt

TOKENS = (*range(64, 512, 64), *range(512, 2049, 128))
MOST_PROMPTS = 8
PROMPT = 128  # tokens of a usual window, at least; programs for prompts that aren't there cost time

log = logging.getLogger(__name__)


class PrefillGraphs:
    """`Network.prefill` into one cache, by replaying it where a pass is not too large.

    Passes of up to `most` tokens are captured at a size's second use, or by `prepare`. What fills
    them up is written to the cache's slot `spare`, which holds no window.
    """

    def __init__(self, network: Network, cache: KVCache, spare: int, most: int) -> None:
        self._network, self._cache, self._spare = network, cache, spare
        self._sizes = [Size(most_prompts(tokens), tokens) for tokens in TOKENS if tokens <= most]
        largest = self._sizes[-1] if self._sizes else Size(0, 0)
        hidden, device = network.config.language.hidden_size, network.device
        self._x = torch.zeros(largest.tokens, hidden, device=device, dtype=network.dtype)
        self._numbers = torch.zeros(largest.most_numbers, dtype=torch.long, device=device)
        self._captured: dict[Size, CapturedGraph] = {}
        self._met: set[Size] = set()
        self._full = False  # no memory for more of them

    def __call__(
        self,
        prompts: Sequence[EncodedPrompt],
        seen: Tensor,
        slots: Sequence[int],
        known: Sequence[int],
    ) -> Tensor:
        """See `Network.prefill`. The result (B, V) is overwritten by whatever is replayed next."""
        tokens = sum(len(prompt.ids) for prompt in prompts) - sum(known)
        size = self._fitting(len(prompts), tokens)
        if size is None or not self._is_captured(size):
            return self._network.prefill(prompts, seen, self._cache, slots, known)
        self._lay_out(size, prompts, seen, slots, known)
        captured = self._captured[size]
        captured.graph.replay()
        return captured.result[: len(prompts)]

    def prepare(self) -> bool:
        """Capture one size; return whether there are more. The largest comes first: its memory holds
        what the others need."""
        missing = [size for size in self._sizes if size not in self._captured]
        if missing:
            self._capture(missing[-1])
        return len(missing) > 1 and not self._full

    def _fitting(self, rows: int, tokens: int) -> Size | None:
        """The smallest size for so many tokens; None: it takes too few pieces, or there is none."""
        size = next((size for size in self._sizes if size.tokens >= tokens), None)
        return size if size is not None and size.pieces >= rows else None

    def _is_captured(self, size: Size) -> bool:
        """Capture a size that comes again."""
        if size in self._met and size not in self._captured:
            if not self._captured:
                self._capture(self._sizes[-1])
            self._capture(size)
        self._met.add(size)
        return size in self._captured

    def _capture(self, size: Size) -> None:
        """Capture the prefill of a word into the spare slot; without memory for that, it is left."""
        if self._full or size in self._captured:
            return
        llm, cache, x = self._network.llm, self._cache, self._x[: size.tokens]
        nothing = x.new_empty(0, self._network.config.resampler.queries, x.shape[1])
        try:
            pieces = self._lay_out(size, [EncodedPrompt((0,), ())], nothing, [self._spare], [0])
            self._captured[size] = self._network.capturer.capture(
                lambda x: llm.prefill(x, cache, pieces), x
            )
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            traceback.clear_frames(error.__traceback__)
            self._full = True
            log.warning("no memory to capture prefill tokens=%d", size.tokens)

    def _lay_out(
        self,
        size: Size,
        prompts: Sequence[EncodedPrompt],
        seen: Tensor,
        slots: Sequence[int],
        known: Sequence[int],
    ) -> Pieces:
        """Put the pass where graphs of its size read it."""
        queries = self._network.config.resampler.queries
        padding = Padding(size, self._spare, self._cache.room)
        packed = PackedPrompts.pack(prompts, slots, known, queries, padding)
        numbers = packed.numbers.pin_memory() if self._numbers.is_cuda else packed.numbers
        target = self._numbers[: len(numbers)]
        pieces, plan = packed.read(target.copy_(numbers, non_blocking=True))
        self._network.embed(self._x, plan, seen)
        return pieces


def most_prompts(tokens: int) -> int:
    """How many prompts a graph for so many tokens takes."""
    return max(1, min(MOST_PROMPTS, tokens // PROMPT))
