"""The files that can be rendered."""

from dataclasses import dataclass

SPEECH = "worker.render.speech"
PREVIEW = "worker.render.preview"


@dataclass(frozen=True, slots=True)
class Rendering:
    program: str  # the child's module
    mime_type: str
    extension: str  # of the saved file, with its point
    title: str
    purpose: str  # one line for a person: what it is for
    choices: tuple[str, ...]  # beside `text`

    @property
    def speaks(self) -> bool:
        return self.program == SPEECH


RENDERINGS = {
    "mp4": Rendering(PREVIEW, "video/mp4", ".preview.mp4", "MP4", "a copy to show around, the commentary drawn into its pictures", ("cues",)),
    "m4a": Rendering(SPEECH, "audio/mp4", ".descriptions.m4a", "M4A", "the commentary spoken, as an audio description track", ("voice",)),
    "wav": Rendering(SPEECH, "audio/wav", ".descriptions.wav", "WAV", "the same for editing programs, uncompressed", ("voice",)),
}  # fmt: skip
