"""Tells many sentences by a few of them: those that have most in common with all the others.

Nothing is worded anew, so the summary is as true as the comments are.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

from worker.loops import plain_words, split_sentences

LONGEST_TITLE = 60  # characters
_SAME = 0.6  # likeness from which a sentence says nothing beside another one
_DULL = re.compile(
    r"(then )?(nothing large moves|no object recognised|something moves|the picture|no change|no longer|"
    r"most of the picture|a large part of the picture|text no longer|a new view: no object)"
)

Bag = dict[str, float]


def extract(texts: Sequence[str], count: int) -> tuple[str, str]:
    """Return a title and at most `count` sentences of the texts, in their order."""
    sentences = list(dict.fromkeys(s.strip() for text in texts for s in split_sentences(text)))
    sentences = [sentence for sentence in sentences if plain_words(sentence)]
    if not sentences:
        return "", ""
    weights = _weights(sentences)
    whole = _bag(" ".join(sentences), weights)
    ranked = sorted(
        range(len(sentences)),
        key=lambda n: (-_centrality(sentences[n], whole, weights), n),
    )
    chosen: list[int] = []
    for number in ranked:
        bag = _bag(sentences[number], weights)
        known = (_bag(sentences[other], weights) for other in chosen)
        if all(_likeness(bag, other) < _SAME for other in known):
            chosen.append(number)
        if len(chosen) == count:
            break
    return _title(sentences, whole, weights), " ".join(sentences[n] for n in sorted(chosen))


def _title(sentences: Sequence[str], whole: Bag, weights: Bag) -> str:
    """Return the clause that says most of all of them, as short as a title is."""
    clauses = [c.strip(" .") for sentence in sentences for c in sentence.split("; ")]
    telling = [c for c in clauses if c and not _DULL.match(c.casefold())] or clauses
    best = max(
        enumerate(telling), key=lambda pair: (_centrality(pair[1], whole, weights), -pair[0])
    )[1]
    best = re.sub(r"^(then )?a new view: ", "", best, flags=re.IGNORECASE)
    if len(best) > LONGEST_TITLE:
        best = best[: LONGEST_TITLE - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
    return best[:1].upper() + best[1:]


def _weights(sentences: Sequence[str]) -> Bag:
    counts = Counter(word for sentence in sentences for word in set(plain_words(sentence)))
    return {word: math.log(1 + len(sentences) / count) for word, count in counts.items()}


def _bag(text: str, weights: Bag) -> Bag:
    """Weigh the words of the clauses that tell something."""
    clauses = [c for c in text.split("; ") if not _DULL.match(c.casefold())] or [text]
    counts = Counter(word for clause in clauses for word in plain_words(clause))
    return {word: count * weights.get(word, 0.0) for word, count in counts.items()}


def _centrality(text: str, whole: Bag, weights: Bag) -> float:
    return round(_likeness(_bag(text, weights), whole), 6)


def _likeness(one: Bag, other: Bag) -> float:
    product = math.fsum(value * other.get(word, 0.0) for word, value in one.items())
    lengths = [math.sqrt(math.fsum(v * v for v in bag.values())) for bag in (one, other)]
    return product / (lengths[0] * lengths[1]) if all(lengths) else 0.0
