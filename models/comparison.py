"""Two runs of a video beside each other: aligned by time, their differences marked by word.

Pure functions over segments. A row is a segment of the run whose windows are longer, with the segments
of the other whose middle lies in it: so both may be cut in any way, and no text is torn apart.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from models.segments import shown_words
from models.tables import Segment

MOST_WORDS = 1500  # on a side; beyond them a row that differs is marked as a whole

# Scripts without spaces are compared by character.
_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a text, and whether the other run says it too."""

    text: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Side:
    segments: list[Segment]
    words: list[Stretch]


@dataclass(frozen=True, slots=True)
class Row:
    start_ms: int
    end_ms: int
    left: Side
    right: Side
    differs: bool


def align(
    left: Sequence[Segment], right: Sequence[Segment]
) -> Iterator[tuple[int, int, list[Segment], list[Segment]]]:
    """Yield rows (start_ms, end_ms, of the left, of the right), in order of time; none is left out."""
    if _mean_span(right) > _mean_span(left):
        for start_ms, end_ms, rights, lefts in align(right, left):
            yield start_ms, end_ms, lefts, rights
        return
    waiting = list(reversed(right))
    for segment in left:
        before = _take(waiting, segment.start_ms)
        if before:
            yield before[0].start_ms, min(before[-1].end_ms, segment.start_ms), [], before
        yield segment.start_ms, segment.end_ms, [segment], _take(waiting, segment.end_ms)
    if rest := _take(waiting, None):
        yield rest[0].start_ms, rest[-1].end_ms, [], rest


def compare(left: list[Segment], right: list[Segment], start_ms: int, end_ms: int) -> Row:
    """Mark what two sides of a row don't share."""
    texts = _text(left), _text(right)
    words = _differences(*texts)
    return Row(
        start_ms, end_ms, Side(left, words[0]), Side(right, words[1]), is_different(left, right)
    )


def is_different(left: list[Segment], right: list[Segment]) -> bool:
    """Tell whether two sides say something else; windows without words say nothing."""
    return _text(left).split() != _text(right).split()


def _text(segments: list[Segment]) -> str:
    return " ".join(text for s in segments if (text := shown_words(s).text))


def _mean_span(segments: Sequence[Segment]) -> float:
    return sum(s.end_ms - s.start_ms for s in segments) / len(segments) if segments else 0


def _take(waiting: list[Segment], end_ms: int | None) -> list[Segment]:
    """Take those whose middle lies before `end_ms` (None: all) from the end of a reversed list."""
    taken = []
    while waiting and (end_ms is None or waiting[-1].start_ms + waiting[-1].end_ms < 2 * end_ms):
        taken.append(waiting.pop())
    return taken


def _differences(left: str, right: str) -> tuple[list[Stretch], list[Stretch]]:
    if left == right:
        same = [Stretch(left, True)] if left else []
        return same, same
    a, b = _WORD.findall(left), _WORD.findall(right)
    if max(len(a), len(b)) > MOST_WORDS:
        return [Stretch(left, False)], [Stretch(right, False)]
    matcher = SequenceMatcher(None, _folded(a), _folded(b), autojunk=False)
    lefts: list[Stretch] = []
    rights: list[Stretch] = []
    for tag, i, j, k, m in matcher.get_opcodes():
        # A space between two differences belongs to them.
        is_shared = tag == "equal" and not (i and k and "".join(a[i:j]).isspace())
        _add(lefts, "".join(a[i:j]), is_shared)
        _add(rights, "".join(b[k:m]), is_shared)
    return lefts, rights


def _folded(words: list[str]) -> list[str]:
    return [" " if word.isspace() else word for word in words]


def _add(stretches: list[Stretch], text: str, is_shared: bool) -> None:
    if text and stretches and stretches[-1].is_shared == is_shared:
        stretches[-1] = Stretch(stretches[-1].text + text, is_shared)
    elif text:
        stretches.append(Stretch(text, is_shared))
