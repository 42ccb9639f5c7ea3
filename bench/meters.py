"""What it costs a worker to measure a window: `python -m bench.meters`."""

import timeit

from models.clock import now_ms
from models.tables import CommentKind, Segment
from worker.meters import meter_of

WINDOWS = 20_000


def main() -> None:
    meter = meter_of("bench")
    segment = _segment()
    seconds = min(timeit.repeat(lambda: meter.window_stored(segment), number=WINDOWS, repeat=5))
    print(f"{1e6 * seconds / WINDOWS:.1f} µs a window")


def _segment() -> Segment:
    times = dict.fromkeys(("waiting_ms", "decode_ms", "prefill_ms"), 12.5)
    return Segment(
        index=0,
        start_ms=0,
        end_ms=4000,
        kind=CommentKind.SAID,
        text="At least 1 person; the picture is still.",
        **times,
        vision_ms=180.0,
        generate_ms=40.0,
        total_ms=300.0,
        tokens_in=900,
        tokens_out=40,
        created_ms=now_ms(),
    )


if __name__ == "__main__":
    main()
