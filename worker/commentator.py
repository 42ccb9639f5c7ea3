"""What every commentator gets and gives."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.prompting import Prompting
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
    source_size: tuple[int, int] | None = (
        None  # (width, height) before the decoder; None: as frames
    )
    heard: str = ""  # what is said in it, if the commentator is to know; hostile text


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the job asks for."""

    max_new_tokens: int  # longest comment; a commentator without tokens counts words
    prompting: Prompting | None = None  # for a commentator that is asked in words
    time_limit_s: float | None = None  # for writing an answer; what is there by then is used


@dataclass(slots=True)
class Draft:
    """The comment while it is written: one thread writes it, another shows it and may want no more."""

    text: str = ""
    unwanted: threading.Event = field(default_factory=threading.Event)

    def show(self, text: str) -> None:
        """Put this, all that is written so far, in place of what was shown."""
        self.text = text


class Unwanted(Exception):
    """The comment was given up halfway because nobody wants it any more."""


class CommentatorLost(Exception):
    """The commentator can do nothing more in this process; a new one may. The text says why."""


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


@dataclass(frozen=True, slots=True)
class Matter:
    """What a passage of the summary is told from: comments, or passages, in order and of bounded length."""

    texts: tuple[str, ...]  # at least one; hostile
    sentences: int  # about how many are wanted
    number: int  # another one for each passage of a job


@dataclass(frozen=True, slots=True)
class Told:
    """A passage in few words; both empty if there is a reason why."""

    title: str = ""
    text: str = ""
    reason: str | None = None
    timings: Timings = field(default_factory=Timings)
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(frozen=True, slots=True)
class Accelerator:
    """The device on which a network runs, and its memory, whoever takes it."""

    id: str  # the device's own, the same for all processes
    name: str
    used_bytes: int
    total_bytes: int


class Commentator(Protocol):
    name: str
    streams: int  # how many windows it takes at once, one thread each
    network: (
        dict[str, str] | None
    )  # JSON: what runs here, to be told with the job; see network_of()

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        """Return the (width, height) at which it wants the frames of such a video."""
        ...

    def comment(
        self, window: Window, prompt: Prompt, previous: Comment | None, draft: Draft
    ) -> Comment:
        """Say what is new in the window since `previous`. Blocks; may be called from many threads.

        `previous` is the last comment of kind `said` in the chunk, None at a chunk's start. The
        answer depends on nothing else, so that a chunk taken over by another worker reads the same.
        What takes a while to write is shown in `draft` meanwhile.

        Raises CommentatorFailed, OutOfMemory, CommentatorLost, or Unwanted soon after the draft is.
        """
        ...

    def tell(self, matter: Matter, prompt: Prompt, draft: Draft) -> Told:
        """Tell in few words what the texts say, under a title. As comment() otherwise."""
        ...

    def accelerator(self) -> Accelerator | None:
        """Tell of the device it runs on; None: the CPU."""
        ...

    def close(self) -> None:
        """End what it started."""
        ...
