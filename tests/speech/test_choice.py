"""Who writes down speech follows from the settings."""

import importlib.util

import pytest

from settings import BadSetting, Settings
from worker.speech import open_transcriber


def test_without_a_network_of_speech_nobody_does() -> None:
    assert open_transcriber(Settings()) is None


@pytest.mark.skipif(
    importlib.util.find_spec("faster_whisper") is not None, reason="the extra transcribe is here"
)
def test_a_network_on_this_machine_needs_its_package() -> None:
    with pytest.raises(BadSetting, match=r"faster-whisper.*\[transcribe\]"):
        open_transcriber(Settings(transcribe_model="small"))
