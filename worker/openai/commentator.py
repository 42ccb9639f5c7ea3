"""A job's words and pictures → a chat completion; the answer → words, times, tokens and what they cost."""

import base64
import logging
from fractions import Fraction
from io import BytesIO
from typing import Any

from PIL import Image

from models.errors import CommentatorFailed, PromptRefused
from models.prompting import Prompting
from settings import BadSetting, Settings
from worker.asking import Answer, AskingCommentator
from worker.commentator import (
    Accelerator,
    Draft,
    Matter,
    Picture,
    Prompt,
    Timings,
    Unwanted,
    Window,
)
from worker.guard import StopReason
from worker.openai.endpoint import Asked, Cancelled, Endpoint, EndpointError, Refused
from worker.wording import question, system_text, telling_question, telling_system

_STREAMS = 16
_LONGEST_QUOTE = 1000  # characters of the previous comment: its end is what the new one follows
_PATIENCE_S = 40.0  # where a job sets no limit
_STOPS: dict[str | None, StopReason] = {"length": "length", "content_filter": "filter"}
"""Every other reason is an end."""

log = logging.getLogger(__name__)


def open_openai(settings: Settings) -> AskingCommentator:
    """Look whether the endpoint knows us; raise BadSetting if it does not.

    One that doesn't answer yet may do so later: it is asked for each window anyway.
    """
    streams = settings.worker_threads or _STREAMS
    endpoint = Endpoint(settings.openai_url, settings.openai_key, streams)
    try:
        served = endpoint.networks()
    except EndpointError as error:
        if isinstance(error, Refused) and error.status in (401, 403):
            endpoint.close()
            raise BadSetting(
                f"The endpoint {endpoint.host} refuses OPENAI_KEY: {error}. Set the key that it gave you."
            ) from error
        log.warning("endpoint tells no networks host=%s reason=%s", endpoint.host, error)
    else:
        if settings.openai_model not in served:
            shown = ", ".join(served[:20]) or "none"
            log.warning("endpoint lists %s, not %s", shown, settings.openai_model)
    return AskingCommentator(OpenAIAnswerer(endpoint, settings, streams))


class OpenAIAnswerer:
    """Shared by all threads, as the endpoint is."""

    name = "openai"

    def __init__(self, endpoint: Endpoint, settings: Settings, streams: int) -> None:
        self._endpoint, self._settings, self.streams = endpoint, settings, streams
        self.network: dict[str, str] | None = {
            "name": settings.openai_model,
            "checkpoint": endpoint.host,
            "fingerprint": "served elsewhere",
        }

    def accelerator(self) -> Accelerator | None:
        """Return None: what the endpoint runs on is its own affair."""
        return None

    def frame_size(self, width: int, height: int, prompt: Prompt) -> tuple[int, int]:
        """Return the size at which pictures are sent: no larger than they are."""
        shrink = min(Fraction(1), Fraction(self._settings.openai_longest_side, max(width, height)))
        return max(1, round(width * shrink)), max(1, round(height * shrink))

    def answer(self, window: Window, prompt: Prompt, previous: str | None, draft: Draft) -> Answer:
        """Ask once; see worker.commentator.Commentator for what is raised."""
        asked = _asked(prompt)
        pictures = [self._picture(frame.picture) for frame in window.frames]
        words = {
            "type": "text",
            "text": question(previous and previous[-_LONGEST_QUOTE:], window.heard),
        }
        body = self._body(system_text(asked), [*pictures, words], prompt, window.index)
        return self._ask(body, prompt, draft)

    def write(self, matter: Matter, prompt: Prompt, draft: Draft) -> Answer:
        """Ask once, in words alone."""
        system, user = telling_system(matter.sentences), telling_question(matter.texts)
        return self._ask(self._body(system, user, prompt, matter.number), prompt, draft)

    def _ask(self, body: dict[str, Any], prompt: Prompt, draft: Draft) -> Answer:
        limit_s = prompt.time_limit_s or _PATIENCE_S
        try:
            asked = self._endpoint.ask(body, limit_s, draft.show, draft.unwanted)
        except Cancelled as error:
            raise Unwanted from error
        except Refused as error:
            raise self._refusal(error) from error
        except EndpointError as error:
            raise CommentatorFailed(
                f"The endpoint {self._endpoint.host} gave no comment: {error}. See that it runs and that "
                "OPENAI_URL names it; then retry the job."
            ) from error
        return self._answer(asked)

    def close(self) -> None:
        self._endpoint.close()

    def _body(
        self, system: str, user: str | list[dict[str, Any]], prompt: Prompt, number: int
    ) -> dict[str, Any]:
        """`number` lets each question of a job have chances of its own."""
        asked = _asked(prompt)
        body: dict[str, Any] = {
            "model": self._settings.openai_model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
            "max_tokens": prompt.max_new_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": asked.temperature,
        }
        if asked.repetition_penalty != 1:
            body["repetition_penalty"] = asked.repetition_penalty
        if asked.temperature > 0:
            body |= {"top_p": asked.top_p, "seed": (asked.seed + number) % 2**31}
            body |= {"top_k": asked.top_k} if asked.top_k else {}
        return body

    def _picture(self, picture: Picture) -> dict[str, Any]:
        out = BytesIO()
        Image.fromarray(picture).save(out, "JPEG", quality=self._settings.openai_jpeg_quality)
        url = "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
        detail = self._settings.openai_detail
        return {
            "type": "image_url",
            "image_url": {"url": url, **({"detail": detail} if detail else {})},
        }

    def _answer(self, asked: Asked) -> Answer:
        reply, left_out = asked.reply, asked.left_out
        note = f"{self._endpoint.host} takes no {', '.join(left_out)}: what was asked is left out."
        stopped_by = "time" if asked.is_cut else _STOPS.get(reply.finish_reason, "end")
        return Answer(
            text=reply.text,
            stopped_by=stopped_by,
            # Looking and reading can't be told apart from here: both lie before the first words.
            timings=Timings(asked.waiting_ms, 0.0, asked.first_ms, asked.rest_ms),
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            notes=(note,) if left_out else (),
            cost=self._cost(reply.tokens_in, reply.tokens_out),
        )

    def _cost(self, tokens_in: int | None, tokens_out: int | None) -> float | None:
        """Return what the answer cost in the unit of the prices; None where it can't be known."""
        price_in, price_out = self._settings.openai_price_in, self._settings.openai_price_out
        if tokens_in is None or tokens_out is None or not (price_in or price_out):
            return None
        return (tokens_in * price_in + tokens_out * price_out) / 1e6

    def _refusal(self, error: Refused) -> CommentatorFailed:
        host = self._endpoint.host
        if error.status in (401, 403):
            return PromptRefused(
                f"The endpoint {host} refuses OPENAI_KEY: {error}. Set the right key, then retry."
            )
        if error.status in (400, 413, 422):
            return PromptRefused(
                f"The endpoint {host} refuses the request: {error}. Lower FRAMES_PER_INFERENCE or "
                "OPENAI_LONGEST_SIDE if it is too long, or see that the network takes pictures."
            )
        return CommentatorFailed(
            f"The endpoint {host} refuses: {error}. See OPENAI_URL and OPENAI_MODEL; then retry the job."
        )


def _asked(prompt: Prompt) -> Prompting:
    if prompt.prompting is None:
        raise CommentatorFailed("This job has no prompt: submit the video anew.")
    return prompt.prompting
