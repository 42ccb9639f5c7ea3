"""Speech written down on this machine by faster-whisper, from a folder that is there: nothing is fetched."""

from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel

from models.errors import CommentatorFailed
from settings import BadSetting, Settings
from worker.speech.transcriber import Heard, Transcript
from worker.video.hearing import Samples

_NEEDED = ("model.bin", "config.json", "tokenizer.json")  # without the last, one would be fetched


class LocalTranscriber:
    """One network for all threads: CTranslate2 takes calls from many."""

    def __init__(self, settings: Settings) -> None:
        folder = Path(settings.transcribe_model).expanduser()
        missing = [name for name in _NEEDED if not (folder / name).is_file()]
        if missing:
            raise BadSetting(
                f"TRANSCRIBE_MODEL names {settings.transcribe_model[:80]!r}, where there is no {missing[0]}: name a "
                "folder with a Whisper network in CTranslate2's format, or set TRANSCRIBE_URL."
            )
        try:
            self._network = WhisperModel(str(folder), device="auto", local_files_only=True)
        except (RuntimeError, ValueError, OSError) as error:
            raise BadSetting(f"The network in TRANSCRIBE_MODEL can't be used: {error}") from error

    def transcribe(self, sound: Samples) -> Transcript:
        """Write down; a stretch that goes round doesn't lead what follows."""
        floats = sound.astype(np.float32) / 32768
        try:
            segments, about = self._network.transcribe(
                floats, beam_size=1, condition_on_previous_text=False, vad_filter=False
            )
            heard = tuple(Heard(one.start, one.end, one.text) for one in segments)
        except (RuntimeError, ValueError) as error:
            raise CommentatorFailed(f"The network of speech failed: {error}.") from error
        return Transcript(heard, about.language or "")
