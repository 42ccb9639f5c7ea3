"""Make a comment fit the time there is to say it: faster up to a limit, else shorter."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

from worker.render.espeak import Samples

USUAL = 175  # words a minute, as audio descriptions are spoken
FASTEST = 280  # about 1.6 times as fast: what can still be followed
_SLACK = 1.04  # a voice told to be twice as fast is a little slower than that

_SENTENCE_ENDS = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|(?<=[。！？])")
_WORD_ENDS = re.compile(r"\s+")

Speak = Callable[[str, int], Samples]


@dataclass(frozen=True, slots=True)
class Spoken:
    samples: Samples  # no longer than there was room
    words_a_minute: int
    is_cut: bool  # something was left out, perhaps all of it


def fit(text: str, room: int, speak: Speak) -> Spoken:
    """Say the text within `room` samples.

    What doesn't fit at the fastest is cut at the end of a sentence, or where not even one sentence fits, of a word.
    """
    samples = speak(text, USUAL)
    if len(samples) <= room:
        return Spoken(samples, USUAL, is_cut=False)
    wanted = ceil(USUAL * _SLACK * len(samples) / max(room, 1))
    if wanted <= FASTEST:
        faster = speak(text, wanted)
        if len(faster) <= room:
            return Spoken(faster, wanted, is_cut=False)
    fastest = speak(text, FASTEST)
    if len(fastest) <= room:
        return Spoken(fastest, FASTEST, is_cut=False)
    return Spoken(_longest_start(text, room, speak), FASTEST, is_cut=True)


def _longest_start(text: str, room: int, speak: Speak) -> Samples:
    """Return the longest run of first sentences, or else of first words, that has room."""
    for ends in (_SENTENCE_ENDS, _WORD_ENDS):
        starts = [text[: match.start()] for match in ends.finditer(text)]
        for said in _halving(starts, room, speak):
            if said.size:
                return said
    return speak("", FASTEST)


def _halving(starts: list[str], room: int, speak: Speak) -> Iterator[Samples]:
    """Yield the longest of the growing starts that fits, if one does."""
    best, low, high = None, 0, len(starts)
    while low < high:
        middle = (low + high) // 2
        said = speak(starts[middle], FASTEST)
        if len(said) <= room:
            best, low = said, middle + 1
        else:
            high = middle
    if best is not None:
        yield best
