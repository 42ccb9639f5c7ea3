"""Print what the built-in commentator says of clips, and what it costs.

    python -m bench.builtin CLIP…

One line per window: its seconds, the sentence (or why there is none), milliseconds for decoding
and for commenting. At the end: CPU seconds of this process per window, and times real time on one
thread. Windows are laid with the default settings and commented in order, as one chunk.
"""

import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from models.errors import AppError
from models.parameters import Parameters, parse_parameters
from models.tables import CommentKind
from settings import Settings
from web.probe import probe
from worker.builtin import LABEL, open_builtin
from worker.commentator import Comment, Commentator, Draft, Prompt, Window
from worker.video.decoder import Clock, Decoder, Sampled

Line = tuple[Window, Sampled, Comment]


def comment_clip(commentator: Commentator, path: Path, parameters: Parameters) -> Iterator[Line]:
    """Yield each window of the clip that shows anything, with its comment. Raises AppErrors."""
    video = probe(path, path.name)
    plan = parameters.plan(video)
    prompt = Prompt(parameters.max_new_tokens)
    clock = Clock(video.stream_index, Fraction(video.time_base), video.origin_pts, video.last_pts)
    decoder = Decoder()
    try:
        samples = decoder.sample(
            path,
            clock,
            [plan.sample_times(index) for index in range(len(plan))],
            slot=Fraction(parameters.frame_stride) / parameters.capture_fps,
            size=commentator.frame_size(video.width, video.height, prompt),
        )
        previous = None
        for index, sampled in enumerate(samples):
            if not sampled.frames:
                continue
            window = Window(index, *plan.span(index), sampled.frames)
            comment = commentator.comment(window, prompt, previous, Draft())
            previous = comment if comment.kind is CommentKind.SAID else previous
            yield window, sampled, comment
    finally:
        decoder.close()


def main(paths: list[str]) -> int:
    commentator = open_builtin(threads=1)
    parameters = parse_parameters({}, Settings.from_env({}))
    print(f"builtin: {LABEL}")
    for path in paths:
        print(f"\n{Path(path).name}")
        started, cpu, windows, end = time.perf_counter(), time.process_time(), 0, Fraction(0)
        try:
            for window, sampled, comment in comment_clip(commentator, Path(path), parameters):
                print(_line(window, sampled, comment))
                windows, end = windows + 1, window.end
        except AppError as error:
            print(f"  {error.kind}: {error}")
        if windows:
            cpu_s = (time.process_time() - cpu) / windows
            print(f"  {cpu_s:.2f} CPU s a window without decoding, ", end="")
            print(f"{float(end) / (time.perf_counter() - started):.0f}x real time on one thread")
    return 0


def _line(window: Window, sampled: Sampled, comment: Comment) -> str:
    timings = comment.timings
    work_ms = timings.vision_ms + timings.generate_ms
    cost = f"{sampled.decode_ms:4.0f} + {work_ms:4.0f} ms"
    span = f"{float(window.start):6.1f} - {float(window.end):5.1f} s"
    return f"  {span}  {cost}  {comment.text or f'({comment.kind.value})'}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
