"""The bytes of a chat completion → its text as it comes, why it ended and what it took.

The sender is not trusted: sizes are bounded, and what is not as expected is `Malformed`.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from worker.thoughts import without_thoughts

_LONGEST_EVENT = 2**20  # bytes
_LONGEST_TEXT = 100_000  # characters, thoughts included

DONE = "[DONE]"
"""Stands for the end of a stream that was told, or of an answer that came whole."""


class Malformed(Exception):
    """What came is no chat completion; the text is a clause that says why."""


@dataclass(slots=True)
class Reply:
    """What has come of an answer so far."""

    raw: str = ""
    finish_reason: str | None = None  # "stop", "length", ...; None: it hasn't ended
    has_ended: bool = False  # as its sender says, in one way or another
    tokens_in: int | None = None  # None: the endpoint doesn't tell
    tokens_out: int | None = None

    @property
    def text(self) -> str:
        """Return what is meant for the reader."""
        return without_thoughts(self.raw)

    def take(self, event: Any) -> None:
        """Add one event of a stream, or a whole completion. Raises Malformed."""
        if event == DONE:
            self.has_ended = True
            return
        if not isinstance(event, dict):
            raise Malformed("an event is no JSON object")
        if event.get("error"):
            raise Malformed(f"it broke off with {message_of(event)!r}")
        choices = event.get("choices") or []
        if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
            raise Malformed("its choices are no list of objects")
        for choice in choices[:1]:
            self._take_choice(choice)
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.tokens_in = _count(usage.get("prompt_tokens"))
            self.tokens_out = _count(usage.get("completion_tokens"))

    def _take_choice(self, choice: dict[str, Any]) -> None:
        part = choice.get("delta") or choice.get("message") or {}
        content = part.get("content") if isinstance(part, dict) else None
        if content is not None and not isinstance(content, str):
            raise Malformed("its content is no text")
        self.raw += content or ""
        if len(self.raw) > _LONGEST_TEXT:
            raise Malformed(f"it is longer than {_LONGEST_TEXT} characters")
        reason = choice.get("finish_reason")
        if isinstance(reason, str):
            self.finish_reason, self.has_ended = reason, True


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """Yield the JSON of each `data:` line of an event stream, up to DONE. Raises Malformed."""
    async for line in _lines(chunks):
        if not line.startswith(b"data:"):
            continue  # an empty line, a comment that keeps the connection open, an event's name
        data = line[len(b"data:") :].strip()
        if data == DONE.encode():
            yield DONE
            return
        yield read_json(data)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield bounded lines; the last need not end."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_EVENT:
            raise Malformed("one of its events is longer than 1 MB")
        for line in lines:
            yield line
    if rest:
        yield rest


def read_json(data: bytes) -> Any:
    """Parse what a stranger sent. Raises Malformed."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Malformed("it is no JSON") from error


def message_of(answer: Any) -> str:
    """Return the words of an error, in whichever place this endpoint puts them; bounded."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return " ".join(str(error).split())[:300]


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None
