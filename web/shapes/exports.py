"""What commentary can be saved as, and what is made on demand."""

from typing import TypedDict


class FormatShape(TypedDict):
    """A kind of file that commentary can be saved as."""

    name: str  # in addresses
    title: str
    group: str
    purpose: str  # one line: what it is for
    tells: str  # "comments", "chapters" or "speech"; of the latter two a job may have none
    rendered: bool  # made on demand, which takes time
    speaks: bool
    choices: list[str]  # what can be chosen: "text", "cues", "voice"


class VoiceShape(TypedDict):
    language: str
    name: str


class ExportsShape(TypedDict):
    formats: list[FormatShape]
    texts: list[str]  # the first is the default, here and below
    cues: list[str]
    voices: list[VoiceShape]
    default_voice: str
    no_speech: str | None  # why nothing can be spoken here


class RenderShape(TypedDict):
    format: str
    state: str  # "none", "waiting", "making", "ready" or "failed"
    progress: float  # 0 to 1
    message: str | None  # why it failed
    notes: list[str]  # what should be known of a file that is ready
    url: str | None  # once it is ready
