"""What every commentator gets and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.tables import CommentKind

Picture = NDArray[np.uint8]
"""(height, width, 3): upright, red green blue."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and when it appears."""

    pts: int  # ticks of the stream's time base
    time: Fraction  # seconds since the first displayable picture
    picture: Picture


@dataclass(frozen=True, slots=True)
class Window:
    """What is shown to the commentator at once. `start` and `end` (seconds) are its segment's."""

    index: int
    start: Fraction
    end: Fraction
    frames: tuple[Frame, ...]  # at least one; in order; all of one size


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the job asks for."""

    max_new_tokens: int  # longest comment; a commentator without tokens counts words


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of one window inside the commentator."""

    waiting_ms: float = 0.0  # for its turn
    vision_ms: float = 0.0
    prefill_ms: float = 0.0
    generate_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Comment:
    """What is said of one window."""

    kind: CommentKind
    text: str = ""  # empty unless said
    reason: str | None = None  # why nothing could be said
    facts: Mapping[str, Any] | None = None  # JSON: what the text rests on
    memory: Mapping[str, Any] | None = None  # JSON: what it wants to find in `previous` next time
    timings: Timings = field(default_factory=Timings)
    tokens_in: int | None = None
    tokens_out: int | None = None


class Commentator(Protocol):
    name: str
    streams: int  # how many windows it takes at once, one thread each

    def frame_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) at which it wants the frames of such a video."""
        ...

    def comment(self, window: Window, prompt: Prompt, previous: Comment | None) -> Comment:
        """Say what is new in the window since `previous`. Blocks; may be called from many threads.

        `previous` is the last comment of kind `said` in the chunk, None at a chunk's start. The
        answer depends on nothing else, so that a chunk taken over by another worker reads the same.

        Raises CommentatorFailed or OutOfMemory.
        """
        ...
