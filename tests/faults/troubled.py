"""The command line with a commentator that gets into trouble: `python -m tests.faults.troubled serve`.

Nothing of the product knows it. Every process that `serve` starts through our own command line is
started through this module instead, and what the workers open as `builtin` is the class below. A
window's colour says what happens there, so a clip is a script (write_script).
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np

import serve.programs
import serve.run
import worker.advance
from cli import main
from models.tables import CommentKind
from worker.commentator import Comment, Draft, Matter, Prompt, Told, Window

GATE = "TROUBLE_GATE"
"""Variable that names a file: while it exists, nothing goes on at a window that waits."""

COLOURS = {
    "calm": (128, 128, 128),  # as any other colour: says its number
    "waits": (230, 230, 30),  # for the gate, whether anybody still wants it or not
    "kills": (230, 30, 30),  # its process, as the kernel does when memory is short
    "hangs": (30, 30, 230),
    "raises": (30, 230, 30),
    "exhausts": (230, 30, 230),  # asks for more memory than its process may have
    "returns nothing": (30, 230, 230),
    "returns rubbish": (0, 0, 0),  # facts that are no JSON
    "talks rubbish": (255, 255, 255),
}
SECONDS = 4  # of each window, with the settings' defaults

RUBBISH = "\x00\x1b[2J\ud800" + "<script>alert(1)</script>" + "A" * 1_000_000


def write_script(path: Path, *windows: str) -> Path:
    """Write a clip of one window of each named colour."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = {"preset": "ultrafast", "g": "4", "threads": "1"}
        for index in range(len(windows) * SECONDS * 2):
            colour = COLOURS[windows[index // (SECONDS * 2)]]
            picture = np.full((64, 64, 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


class Troubled:
    """Comments what it is not brought down by."""

    name = "builtin"
    network: dict[str, str] | None = None

    def __init__(self, streams: int) -> None:
        self.streams = streams

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        return width, height

    def close(self) -> None:
        pass

    def tell(self, matter: Matter, prompt: Prompt, draft: Draft) -> Told:
        return Told("A title", f"{len(matter.texts)} texts, the first: {matter.texts[0]}"[:80])

    def comment(
        self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
    ) -> Comment:
        draft.show(f"looking at window {window.index}")
        match _trouble(window):
            case "waits":
                gate = Path(os.environ[GATE])
                while gate.exists():
                    time.sleep(0.02)
            case "kills":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hangs":
                time.sleep(3600)
            case "raises":
                raise ZeroDivisionError("a bug in a commentator")
            case "exhausts":
                _ask_for_too_much()
            case "returns nothing":
                return None  # type: ignore[return-value]
            case "returns rubbish":
                return Comment(CommentKind.SAID, "Rubbish.", facts={"rubbish": object()})
            case "talks rubbish":
                return Comment(CommentKind.SAID, RUBBISH)
        return Comment(CommentKind.SAID, f"Window {window.index}.")


def _trouble(window: Window) -> str:
    """Read the colour in the middle of the first picture."""
    seen = window.frames[0].picture[32, 32].astype(int)
    near = (name for name, colour in COLOURS.items() if np.abs(seen - colour).max() < 25)
    return next(near, "calm")


def _ask_for_too_much() -> None:
    """Run into a real limit of this process's address space."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**28, before[1]))
    try:
        bytearray(2**33)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _ourselves(*arguments: str) -> Sequence[str]:
    return (sys.executable, "-m", "tests.faults.troubled", *arguments)


if __name__ == "__main__":
    builtin: Any = ModuleType("worker.builtin")
    builtin.open_builtin = lambda threads: Troubled(threads or 2)
    sys.modules["worker.builtin"] = builtin
    setattr(worker.advance, "_STORE_PATIENCE_S", 1.0)  # noqa: B010 (ours alone) a test's patience
    serve.programs.reelnotes = _ourselves
    setattr(serve.run, "welcome", lambda settings: None)  # noqa: B010 (not exported) no sample for a newcomer, who isn't there
    main()
