"""What everybody who writes down speech gets and gives."""

from dataclasses import dataclass
from typing import Protocol

from worker.video.hearing import Samples


@dataclass(frozen=True, slots=True)
class Heard:
    """Something said; seconds from the start of the sound. The text is hostile, the times may be wrong."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    heard: tuple[Heard, ...]
    language: str = ""  # as the recogniser names it


class Transcriber(Protocol):
    def transcribe(self, sound: Samples) -> Transcript:
        """Write down a piece of sound; see worker/video/hearing.py. Blocks; may be called from many threads.

        Raises CommentatorFailed, or PromptRefused where another try would end the same way.
        """
        ...
