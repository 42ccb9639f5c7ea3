"""Speech written down by an endpoint that speaks OpenAI's /v1/audio/transcriptions."""

import io
import time
import wave
from typing import Any
from urllib.parse import urlsplit

import httpx

from models.errors import CommentatorFailed, PromptRefused
from settings import Settings
from worker.openai.stream import Malformed, message_of, read_json
from worker.openai.turns import back_off
from worker.speech.transcriber import Heard, Transcript
from worker.video.hearing import RATE, Samples

_PASSING = (408, 409, 425, 429, 500, 502, 503, 504)
_LONGEST_ANSWER = 4 * 2**20  # bytes
_LIMIT_SHARE = 0.8  # of a call's time: the rest is for decoding


class EndpointTranscriber:
    """Asks again while the endpoint is busy or away, until the time is over."""

    def __init__(self, settings: Settings) -> None:
        self._host = urlsplit(settings.transcribe_url).netloc.rpartition("@")[2]
        self._model = settings.transcribe_model
        self._limit_s = settings.call_timeout_seconds * _LIMIT_SHARE
        key = settings.transcribe_key
        self._client = httpx.Client(
            base_url=settings.transcribe_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=False,
        )

    def transcribe(self, sound: Samples) -> Transcript:
        deadline = time.monotonic() + self._limit_s
        body, attempt, why = wav(sound), 0, ""
        while True:
            try:
                return read(self._ask(body, deadline), len(sound) / RATE)
            except (httpx.HTTPError, Malformed, _Passing) as error:
                # The last attempt has only what is left of the time: that it takes longer says little.
                why = why if why and isinstance(error, httpx.TimeoutException) else _clause(error)
                pause = back_off(attempt)
                attempt += 1
                if time.monotonic() + pause >= deadline:
                    raise CommentatorFailed(
                        f"The endpoint {self._host} wrote down no speech: {why}. See that it runs "
                        "and that TRANSCRIBE_URL names it."
                    ) from error
                time.sleep(pause)

    def _ask(self, body: bytes, deadline: float) -> Any:
        fields = {"model": self._model, "response_format": "verbose_json", "temperature": "0"}
        with self._client.stream(
            "POST",
            "audio/transcriptions",
            data=fields,
            files={"file": ("sound.wav", body, "audio/wav")},
            timeout=max(deadline - time.monotonic(), 0.1),
        ) as answer:
            if answer.status_code in _PASSING:
                raise _Passing(f"it answered {answer.status_code}")
            content = _content(answer, deadline)
        if answer.status_code != 200:
            try:
                why = message_of(read_json(content))
            except Malformed:
                why = "no reason that can be read"
            raise PromptRefused(
                f"The endpoint {self._host} refuses to write down speech: it answered "
                f"{answer.status_code}: {why!r}. See TRANSCRIBE_URL, TRANSCRIBE_MODEL and TRANSCRIBE_KEY."
            )
        return read_json(content)


def _content(answer: httpx.Response, deadline: float) -> bytes:
    """Read an answer to its end, which is neither far nor late: httpx limits single reads alone."""
    content = bytearray()
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > _LONGEST_ANSWER:
            raise Malformed("its answer is too long")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("timed out")
    return bytes(content)


class _Passing(Exception):
    """It may answer a little later."""


def wav(sound: Samples) -> bytes:
    """Return samples as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.tobytes())
    return out.getvalue()


def read(answer: Any, length_s: float) -> Transcript:
    """Read an answer with segments, or with a text alone, which then lasts as long as the sound.

    Raises Malformed.
    """
    if not isinstance(answer, dict):
        raise Malformed("its answer is no object")
    language = answer.get("language")
    named = language[:16] if isinstance(language, str) else ""
    segments = answer.get("segments")
    if isinstance(segments, list):
        return Transcript(tuple(_heard(one) for one in segments), named)
    text = answer.get("text")
    if not isinstance(text, str):
        raise Malformed("its answer has neither segments nor a text")
    return Transcript((Heard(0.0, length_s, text),), named)


def _heard(segment: Any) -> Heard:
    values = segment if isinstance(segment, dict) else {}
    text = values.get("text")
    if not isinstance(text, str):
        raise Malformed("a segment of its answer has no text")
    return Heard(_time(values.get("start")), _time(values.get("end")), text)


def _time(value: Any) -> float:
    if isinstance(value, int | float) and abs(value) < 1e9:
        return float(value)
    raise Malformed("a segment of its answer has no start or end")


def _clause(error: Exception) -> str:
    return str(error) or type(error).__name__
