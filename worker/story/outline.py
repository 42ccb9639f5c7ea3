"""Which passages a summary is made of. Pure functions of what was said; knows no network and no rows.

A chapter is cut into parts that fit a question, the parts are joined until one passage tells the
chapter, and the chapters until one tells the video.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from worker.story.changes import Line, chapter_starts

PART_BYTES = 3600
"""What one question quotes at most: with its frame and an answer it fits 2048 tokens."""

LINE_BYTES = 400  # of one comment that are quoted
MOST_LINES = 40  # comments in a question
FAN_IN = 8  # passages that are joined by one


@dataclass(frozen=True, slots=True)
class Span:
    """A passage to be told, of windows [first, stop)."""

    level: int
    index: int
    first: int
    stop: int
    start_ms: int
    end_ms: int
    is_chapter: bool = False


Group = list[Span]


def outline(lines: Sequence[Line], window_count: int, end_ms: int) -> list[Span]:
    """Lay passages over a video, level by level; the last one tells all of it. [] if nothing was said.

    `lines` are what was said, in order. The passages of each level tile the windows.
    """
    if not lines:
        return []
    starts = [0, *chapter_starts(lines, end_ms)]
    chapters = [
        list(_parts(lines, a, b)) for a, b in pairwise([*starts, len(lines)])
    ]  # runs of lines
    level = _tile([part for parts in chapters for part in parts], lines, window_count, end_ms)
    sizes = [len(parts) for parts in chapters]
    told = list(level)
    while max(sizes) > 1:
        level, sizes = _joined(level, sizes)
        told += level
    told = [_as_chapter(span) if span.level == level[0].level else span for span in told]
    while len(level) > 1:
        level, _ = _joined(level, [len(level)])
        told += level
    return told


def clip(text: str, most_bytes: int) -> str:
    """Return the beginning of a text, in whole characters; "…" stands for the rest."""
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    return encoded[: most_bytes - 3].decode(errors="ignore").rstrip() + "…"


def _parts(lines: Sequence[Line], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Cut a run of lines into as few questions as hold them."""
    first, size = start, 0
    for number in range(start, stop):
        own = min(len(lines[number].text.encode()), LINE_BYTES)
        if number > first and (size + own > PART_BYTES or number - first == MOST_LINES):
            yield first, number
            first, size = number, 0
        size += own
    yield first, stop


def _tile(
    runs: Sequence[tuple[int, int]], lines: Sequence[Line], window_count: int, end_ms: int
) -> Group:
    """Make passages of runs of lines: each goes on to where the next one begins."""
    firsts = [0, *(lines[run[0]].index for run in runs[1:]), window_count]
    times = [0, *(lines[run[0]].start_ms for run in runs[1:]), end_ms]
    return [Span(0, n, firsts[n], firsts[n + 1], times[n], times[n + 1]) for n in range(len(runs))]


def _joined(level: Group, sizes: Sequence[int]) -> tuple[Group, list[int]]:
    """Join up to FAN_IN passages at a time within each run of `sizes`; return the runs' new sizes."""
    joined: Group = []
    new_sizes, at = [], 0
    for size in sizes:
        before = len(joined)
        for a in range(at, at + size, FAN_IN):
            b = min(a + FAN_IN, at + size) - 1
            one, last = level[a], level[b]
            joined.append(
                Span(
                    *(one.level + 1, len(joined)),
                    *(one.first, last.stop, one.start_ms, last.end_ms),
                )
            )
        at += size
        new_sizes.append(len(joined) - before)
    return joined, new_sizes


def _as_chapter(span: Span) -> Span:
    return Span(
        *(span.level, span.index, span.first, span.stop, span.start_ms, span.end_ms),
        is_chapter=True,
    )
