"""From segments to subtitle cues that can be read.

Only what was said becomes a cue. An `unchanged` or `empty` segment gets none: the last words stay
true, but a subtitle that stands for minutes hides the picture, and silence says the same. JSON, CSV
and TXT list these segments too.

A cue shows at most 2 lines. A comment that needs more is shown as consecutive cues, broken at the
end of a sentence or clause where one is near, that share its span in proportion to the width of
their text; none is shorter than a second unless the span is. When
the span has no room for enough cues, lines grow longer than 42 columns: no word is ever lost. Cues
never overlap and never leave their segment's span; only a segment of no length gets a cue of 1 ms,
since players drop a cue that ends as it starts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from web.exports.line_breaks import Line, lines_by_cue
from web.exports.plain_text import plain
from web.shapes import SegmentRecord

SHORTEST_CUE_MS = 1000


@dataclass(frozen=True, slots=True)
class Cue:
    """One entry of a subtitle file. Its lines are plain text, not yet escaped for any format."""

    segment: int  # index of the segment it tells of
    part: int  # 1 for the segment's first cue
    start_ms: int
    end_ms: int
    lines: tuple[str, ...]  # one or two


def cues(segments: Iterable[SegmentRecord]) -> Iterator[Cue]:
    """Yield the cues of all that was said."""
    for segment in segments:
        if segment["kind"] == "said":
            yield from split(
                segment["index"], segment["start_ms"], segment["end_ms"], segment["text"]
            )


def split(index: int, start_ms: int, end_ms: int, text: str) -> Iterator[Cue]:
    """Yield the cues of one text that lasts from `start_ms` to `end_ms`."""
    room = max(1, (end_ms - start_ms) // SHORTEST_CUE_MS)
    shown = lines_by_cue(plain(text), most=room)
    spans = pairwise(_boundaries(start_ms, max(end_ms, start_ms + 1), shown))
    for part, (lines, span) in enumerate(zip(shown, spans, strict=True), start=1):
        yield Cue(index, part, *span, tuple(line.text for line in lines))


def _boundaries(start_ms: int, end_ms: int, shown: list[list[Line]]) -> list[int]:
    """Return the milliseconds at which each cue starts, and last the end."""
    count = len(shown)
    weights = [sum(line.width for line in lines) or 1 for lines in shown]
    boundaries = [start_ms]
    for done, weight in enumerate(accumulate(weights), start=1):
        fair = start_ms + (end_ms - start_ms) * weight // sum(weights)
        latest = end_ms - (count - done) * SHORTEST_CUE_MS
        boundaries.append(min(max(fair, boundaries[-1] + SHORTEST_CUE_MS), latest))
    return boundaries
