"""Keeps an installation busy: several jobs at once, some of them of the same file."""

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from client import Refused, Unreachable
from tests.journey.stack import Stack

# Short windows, so that a clip of some seconds has dozens of them.
PARAMETERS = {"capture_fps": "8", "frames_per_inference": "2", "frame_stride": "1"}
_AT_ONCE = 2


@dataclass
class Feeder:
    """Submits jobs until it is told to stop; an upload that is broken off is sent once more."""

    stack: Stack
    clips: Sequence[Path]
    folder: Path  # for the copies that it makes
    dice: random.Random
    parameters: Mapping[str, str] = field(default_factory=lambda: PARAMETERS)
    submitted: list[str] = field(default_factory=list)
    broken_off: int = 0
    _enough: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Feeder":
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Submit no more; the jobs go on."""
        self._enough.set()
        if self._thread:
            self._thread.join(120)

    def _feed(self) -> None:
        while not self._enough.wait(0.2):
            try:
                with self.stack.client() as client:
                    counts = client.jobs(1)["counts"]
                    if counts["queued"] + counts["running"] < _AT_ONCE:
                        self.submitted.append(client.submit(self._clip(), self.parameters)["id"])
            except (Unreachable, Refused, AssertionError):  # what it asks was just killed
                self.broken_off += 1
                time.sleep(0.2)

    def _clip(self) -> Path:
        """Return a clip: as it is, or with other content that shows the same."""
        clip = self.dice.choice(self.clips)
        if self.dice.random() < 0.3:
            return clip
        copy = self.folder / f"{clip.stem}-{self.dice.randrange(10**6)}.mp4"
        copy.write_bytes(clip.read_bytes() + _padding(self.dice))
        return copy


def _padding(dice: random.Random) -> bytes:
    """Return an MP4 box that every reader skips."""
    content = dice.randbytes(16)
    return (len(content) + 8).to_bytes(4) + b"free" + content
