"""One record for what was said and for as long as it stays true.

`unchanged` says that nothing is new since the last thing said, so its span belongs to that. An `empty`
segment belongs to nobody: nothing is known of it.
"""

from collections.abc import Iterable, Iterator
from typing import cast

from web.shapes import SegmentRecord, TimingsRecord


def merged(segments: Iterable[SegmentRecord]) -> Iterator[SegmentRecord]:
    """Yield what was said joined with the unchanged segments right after it, and all others as they are.

    The joined record has the index, text and facts of what was said; its timings and tokens are
    those of all its windows together.
    """
    held: SegmentRecord | None = None
    for segment in segments:
        if held is not None:
            follows = segment["kind"] == "unchanged" and segment["start_ms"] == held["end_ms"]
            if follows:
                held = _joined(held, segment)
                continue
            yield held
            held = None
        if segment["kind"] == "said":
            held = segment
        else:
            yield segment
    if held is not None:
        yield held


def _joined(said: SegmentRecord, unchanged: SegmentRecord) -> SegmentRecord:
    times = {
        name: round(value + cast(float, unchanged["timings"][name]), 3)  # type: ignore[literal-required]
        for name, value in cast(dict[str, float], said["timings"]).items()
    }
    return {
        **said,
        "end_ms": unchanged["end_ms"],
        "frame_times_ms": [*said["frame_times_ms"], *unchanged["frame_times_ms"]],
        "timings": cast(TimingsRecord, times),
        "tokens_in": _total(said["tokens_in"], unchanged["tokens_in"]),
        "tokens_out": _total(said["tokens_out"], unchanged["tokens_out"]),
        "created_ms": max(said["created_ms"], unchanged["created_ms"]),
    }


def _total(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
