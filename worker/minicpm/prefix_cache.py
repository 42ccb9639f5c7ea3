"""Beginnings that many prompts share, read once: the system prompt and what goes with it."""

from collections import OrderedDict

from torch import Tensor

from worker.minicpm.cache import KVCache
from worker.minicpm.prompt import EncodedPrompt

SHORTEST = 16  # tokens; a shorter one is read again sooner than copied


def shared_length(prompt: EncodedPrompt) -> int:
    """How many tokens a prompt may share with others: all before its first picture; 0: too few."""
    length = prompt.view_starts[0] if prompt.view_starts else 0
    return length if length >= SHORTEST else 0


class PrefixCache:
    """Keys and values of a few beginnings, by their token ids.

    `most_tokens` of all together are kept; what was not used for longest goes.
    """

    def __init__(self, most_tokens: int) -> None:
        self._most_tokens = most_tokens
        # each (2, layers, kv heads, tokens, head_dim): keys, values
        self._known: OrderedDict[tuple[int, ...], Tensor] = OrderedDict()

    def restore(self, prompt: EncodedPrompt, cache: KVCache, slot: int) -> int:
        """Put what is known of the prompt's beginning into a slot; return how many tokens that is."""
        length = shared_length(prompt)
        ids = prompt.ids[:length]
        prefix = self._known.get(ids)
        if not length or prefix is None:
            return 0
        self._known.move_to_end(ids)
        cache.both[:, :, slot, :, :length] = prefix
        return length

    def remember(self, prompt: EncodedPrompt, cache: KVCache, slot: int) -> None:
        """Keep the beginning of a prompt that has just been read into a slot."""
        length = shared_length(prompt)
        ids = prompt.ids[:length]
        if not length or length > self._most_tokens or ids in self._known:
            return
        self._known[ids] = cache.both[:, :, slot, :, :length].clone()
        while sum(map(len, self._known)) > self._most_tokens:
            self._known.popitem(last=False)

    def clear(self) -> None:
        self._known.clear()
