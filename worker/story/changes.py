"""Where chapters begin: at those comments around which most of what is seen changes.

Before and after every comment stands a bag of what was told (words, or what the commentator measured).
Where the two bags have little in common is a change; the largest changes begin chapters.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_CHAPTERS = 24
SHORTEST_CHAPTER_MS = 10_000

_REACH = 6  # comments on either side that are compared
_CLEAR = 0.5  # a change is at least so large: 0 nothing changes, 1 nothing stays
_VIEW = 0.25  # how much a cut adds
_NO_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Line:
    """What was said of one window."""

    index: int
    start_ms: int
    text: str
    traits: frozenset[str]  # what it tells of, to be compared
    is_new_view: bool = False  # it tells of a cut


def words_of(text: str) -> frozenset[str]:
    """Return the words that are compared; of scripts without spaces, pairs of characters."""
    found: set[str] = set()
    for word in re.findall(r"\w+", text.casefold()):
        if _NO_SPACES.search(word):
            found |= {word[at : at + 2] for at in range(max(1, len(word) - 1))}
        elif len(word) > 2 or not word.isascii():
            found.add(word)
    return frozenset(found)


def chapter_starts(lines: Sequence[Line], end_ms: int) -> list[int]:
    """Return which lines begin a chapter, in order; the first one, which always does, left out.

    A chapter is at least 10 s long, and a 48th of the video; there are at most MOST_CHAPTERS.
    """
    shortest_ms = max(SHORTEST_CHAPTER_MS, end_ms // (2 * MOST_CHAPTERS))
    sizes = _changes(lines)
    starts: list[int] = []
    for number in sorted(sizes, key=lambda number: (-sizes[number], number)):
        if len(starts) == MOST_CHAPTERS - 1 or sizes[number] < _CLEAR:
            break
        time = lines[number].start_ms
        others = [0, end_ms, *(lines[other].start_ms for other in starts)]
        if all(abs(time - other) >= shortest_ms for other in others):
            starts.append(number)
    return sorted(starts)


def _changes(lines: Sequence[Line]) -> dict[int, float]:
    """Return how large the change before each line is."""
    weight = _weights(line.traits for line in lines)
    sizes = {}
    for number in range(1, len(lines)):
        before = _bag(lines[max(0, number - _REACH) : number], weight)
        after = _bag(lines[number : number + _REACH], weight)
        cut = _VIEW if lines[number].is_new_view else 0.0
        sizes[number] = round(1 - _likeness(before, after) + cut, 6)
    return sizes


def _weights(traits: Iterable[frozenset[str]]) -> dict[str, float]:
    """Let what stands everywhere count little."""
    each = list(traits)
    counts = Counter(trait for one in each for trait in one)
    return {trait: math.log(1 + len(each) / count) for trait, count in counts.items()}


def _bag(lines: Sequence[Line], weight: dict[str, float]) -> dict[str, float]:
    counts = Counter(trait for line in lines for trait in line.traits)
    return {trait: count * weight[trait] for trait, count in counts.items()}


def _likeness(one: dict[str, float], other: dict[str, float]) -> float:
    """Return the cosine of two bags; two empty ones are alike."""
    if not one or not other:
        return 1.0 if not one and not other else 0.0
    product = math.fsum(value * other.get(trait, 0.0) for trait, value in one.items())
    lengths = [math.sqrt(math.fsum(v * v for v in bag.values())) for bag in (one, other)]
    return product / (lengths[0] * lengths[1])
