"""Speech: the sound of a video, written down by an endpoint or by a network on this machine."""

from settings import BadSetting, Settings
from worker.speech.transcriber import Transcriber

__all__ = ["open_transcriber"]


def open_transcriber(settings: Settings) -> Transcriber | None:
    """Return who writes down speech; None if nobody is to. Raises BadSetting."""
    if not settings.transcribes:
        return None
    if settings.transcribe_url:
        from worker.speech.endpoint import EndpointTranscriber

        return EndpointTranscriber(settings)
    try:
        from worker.speech.local import LocalTranscriber
    except ImportError as error:
        raise BadSetting(
            "TRANSCRIBE_MODEL is set without TRANSCRIBE_URL, which needs the package faster-whisper, and it "
            "is not installed: .venv/bin/pip install --editable '.[transcribe]'"
        ) from error
    return LocalTranscriber(settings)
