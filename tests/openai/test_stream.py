"""What an endpoint sends is not trusted, and what it says of waiting is heeded."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from worker.openai.stream import DONE, Malformed, Reply, events, message_of, read_json
from worker.openai.turns import Turns
from worker.openai.untaken import untaken


def received(*chunks: bytes) -> list[Any]:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def all_of_it() -> list[Any]:
        return [event async for event in events(arriving())]

    return asyncio.run(all_of_it())


def reply_of(parts: Sequence[Any]) -> Reply:
    reply = Reply()
    for part in parts:
        reply.take(part)
    return reply


def said(content: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": content}, **more}]}


def test_events_are_found_however_their_bytes_are_cut() -> None:
    whole = b'event: x\ndata: {"a": 1}\r\n\r\n: alive\n\ndata:{"a": "\xc3\xa4"}\n\ndata: [DONE]\n\ndata: 3\n'
    for size in (1, 2, 7, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert received(*pieces) == [{"a": 1}, {"a": "ä"}, DONE]


def test_a_stream_without_its_end_yields_what_came() -> None:
    assert received(b'data: {"a": 1}\n\n', b'data: {"a": 2}') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("line", [b"data: {\n", b'data: {"a"', b"data: " + b"[" * 100_000 + b"\n"])
def test_what_is_no_json_is_told(line: bytes) -> None:
    with pytest.raises(Malformed, match="no JSON"):
        received(line)


def test_an_event_without_end_is_given_up() -> None:
    with pytest.raises(Malformed, match="longer than 1 MB"):
        received(b"data: ", *[b"x" * 100_000] * 20)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ([], "no JSON object"),
        (None, "no JSON object"),
        ({"error": {"message": "out  of\nluck"}}, "broke off with 'out of luck'"),
        ({"choices": {"0": {}}}, "no list of objects"),
        ({"choices": ["x"]}, "no list of objects"),
        (said(["a"]), "content is no text"),
        (said("x" * 100_001), "longer than 100000 characters"),
    ],
)
def test_an_event_that_is_no_completion_is_told(event: Any, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        Reply().take(event)


def test_text_grows_and_the_first_choice_alone_counts() -> None:
    two = {"choices": [{"delta": {"content": "A dog"}}, {"delta": {"content": "A cat"}}]}
    reply = reply_of([two, said(" runs."), said(None, finish_reason="stop"), {"choices": None}])
    assert (reply.text, reply.finish_reason) == ("A dog runs.", "stop")
    assert (reply.tokens_in, reply.tokens_out) == (None, None)


@pytest.mark.parametrize("odd", ["7", -1, True, 2**40, 1.5, None])
def test_odd_counts_of_tokens_are_unknown(odd: Any) -> None:
    reply = reply_of([{"usage": {"prompt_tokens": odd, "completion_tokens": 5}}])
    assert (reply.tokens_in, reply.tokens_out) == (None, 5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "busy"}, "busy"),
        ({"error": {"detail": "x"}}, "x"),
        ({"message": "too long"}, "too long"),
        ({"detail": "none"}, "none"),
        ("plain", "plain"),
        ({"error": {"message": "m" * 1000}}, "m" * 300),
    ],
)
def test_the_words_of_an_error_are_found_in_any_place(answer: Any, words: str) -> None:
    assert message_of(read_json(json.dumps(answer).encode())) == words


def failure(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


EXTRA = {
    "type": "extra_forbidden",
    "loc": ["body", "top_k"],
    "msg": "Extra inputs are not permitted",
}


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (failure("No.", param="top_k", code="unknown_parameter"), "top_k"),
        (failure("Not 0.2.", param="temperature", code="unsupported_value"), "temperature"),
        (failure("No.", param="max_tokens", code="unsupported_parameter"), "max_tokens"),
        (failure("Too large.", param="max_tokens", code="unsupported_value"), None),
        ({"detail": [EXTRA]}, "top_k"),
        ({"object": "error", "message": {"detail": [EXTRA]}}, "top_k"),
        (failure(str([EXTRA])), "top_k"),
        ([failure('Invalid JSON payload received. Unknown name "seed": Cannot find field.')], "seed"),
        (failure("Unrecognized request argument supplied: top_k"), "top_k"),
        (failure("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                 "'max_completion_tokens' instead."), "max_tokens"),
        (failure("Unsupported value: 'temperature' does not support 0.2 with this model."), "temperature"),
        (failure("property 'top_k' is unsupported"), "top_k"),
        (failure("Additional properties are not allowed ('seed' was unexpected)"), "seed"),
        (failure("openai does not support parameters: ['top_k'], for model=m."), "top_k"),
        (failure("Argument not supported on this model: seed"), "seed"),
        (failure("`temperature` and `top_p` cannot both be specified."), "temperature"),
        (failure("'max_tokens' or 'max_completion_tokens' is too large: 96. This model's maximum "
                 "context length is 2048 tokens."), None),
        (failure("max_tokens is too large: 9.", param="max_tokens", code="invalid_value"), None),
        (failure("temperature must be at most 1"), None),
        (failure("seed of life: this picture is not supported"), None),
        (failure("Unknown parameter: 'detail'. Known: temperature, seed"), None),
        (failure("Unknown parameter 'detail', expected one of top_k, seed"), None),
        ({"detail": [EXTRA | {"loc": ["body", "detail"]}]}, None),
        ({"detail": [EXTRA | {"type": "int_parsing", "msg": "no integer"}]}, None),
        (failure("No.", param=["top_k"], code=["unknown_parameter"]), None),
        ({"error": None, "detail": {"loc": 1}}, None),
        ("top_k", None),
    ],
)  # fmt: skip
def test_a_field_is_untaken_only_where_the_refusal_says_so(answer: Any, field: str | None) -> None:
    sent = ("max_tokens", "top_k", "seed", "temperature")
    assert untaken(answer, sent) == field


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "7"}, 7),
        (503, {"retry-after": "1.5"}, 1.5),
        (429, {"retry-after": "120ms"}, 0.12),
        (429, {"retry-after": "1m30s"}, 90),
        (429, {"retry-after": "999999999"}, 3600),
        (200, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9000h"}, 3600),
        (429, {"retry-after": "soon"}, 0),
        (429, {}, 0),
        (200, {"retry-after": "7"}, 0),
        (200, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360),
        (200, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2s"}, 2),
        (200, {"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "2s"}, 0),
    ],
)
def test_an_endpoint_says_when_it_may_be_asked_again(
    status: int, headers: dict[str, str], seconds: float
) -> None:
    now = [100.0]
    turns = Turns(lambda: now[0])
    turns.heed(status, headers)
    assert turns.pause() == pytest.approx(seconds)
    now[0] += seconds
    assert turns.pause() == 0


@pytest.mark.parametrize("offset_hours", [0, 5])
def test_it_may_name_the_time_in_any_zone(offset_hours: int) -> None:
    turns = Turns(lambda: 0.0)
    until = datetime.now(UTC) + timedelta(seconds=60)
    turns.heed(429, {"retry-after": format_datetime(until + timedelta(hours=offset_hours)).replace("+0000", f"+0{offset_hours}00")})  # fmt: skip
    assert 50 < turns.pause() <= 60
    turns.heed(429, {"retry-after": format_datetime(datetime(2001, 1, 1, tzinfo=UTC))})
    assert turns.pause() > 50  # a shorter wait takes back nothing
