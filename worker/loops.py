"""Finds where a text begins to say the same over and over. Knows no networks."""

import re
from collections import Counter
from itertools import pairwise

_SAME_CHARACTER = re.compile(r"(\S)\1{15,}")
_SAME_RUN = re.compile(r"(\S.{1,19}?)\1{5,}", re.DOTALL)  # also where no spaces part the words
_LONGEST_PHRASE = 40  # words
_SAME_SENTENCES = 3
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]*]*(?=\s|$)|[。！？]+[”’」』）]*")


def find_loop(text: str) -> int | None:
    """Return the index at which the first repetition begins; None if the text goes on."""
    starts = [_same_characters(text), _same_words(text), _same_sentences(text)]
    return min((start for start in starts if start is not None), default=None)


def plain_words(text: str) -> list[str]:
    """Return the words without case and punctuation: what is compared of two texts."""
    return re.findall(r"\w+", text.casefold())


def split_sentences(text: str) -> list[str]:
    """Return the sentences, each with the space after it; the last one has no end, and may be empty."""
    ends = [0]
    for end in _SENTENCE_END.finditer(text):
        after = re.compile(r"\s*").match(text, end.end())
        ends.append(after.end() if after else end.end())
    return [text[a:b] for a, b in pairwise([*ends, len(text)])]


def _same_characters(text: str) -> int | None:
    found = [m for m in (_SAME_CHARACTER.search(text), _SAME_RUN.search(text)) if m]
    return min((m.end(1) for m in found), default=None)


def _same_words(text: str) -> int | None:
    """Find a word that comes 6 times in a row, two or three words 4 times, or a longer phrase 3 times."""
    places = list(re.finditer(r"\w+", text.casefold()))
    words = [place.group() for place in places]
    starts = []
    for length in range(1, min(_LONGEST_PHRASE, len(words) // 3) + 1):
        times = 6 if length == 1 else 4 if length <= 3 else 3
        run = 0
        for index in range(length, len(words)):
            run = run + 1 if words[index] == words[index - length] else 0
            if run == length * (times - 1):
                starts.append(places[index - run + 1].start())
                break
    return min(starts, default=None)


def _same_sentences(text: str) -> int | None:
    """Find a sentence that comes three times, whatever stands between, and where it came again first."""
    seen: Counter[str] = Counter()
    again: dict[str, int] = {}
    start = 0
    for sentence in split_sentences(text):
        key = " ".join(plain_words(sentence))
        seen[key] += bool(key)
        if seen[key] == 2:
            again[key] = start
        if seen[key] == _SAME_SENTENCES:
            return again[key]
        start += len(sentence)
    return None
