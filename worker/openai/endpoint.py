"""Asks one endpoint: again where it is busy or broken off, without what it doesn't take, in limited time."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from worker.openai.stream import DONE, Malformed, Reply, events, message_of, read_json
from worker.openai.turns import Turns, back_off
from worker.openai.untaken import untaken

_PASSING = (408, 409, 425, 429, 500, 502, 503, 504)  # the same may be answered a little later
_LONGEST_BODY = 2**20  # bytes of an answer that is no stream
_GLANCE_S = 0.1  # between two looks whether the answer is still wanted
_LISTING_S = 10.0

OPTIONAL = ("stream_options", "top_k", "repetition_penalty", "seed", "top_p", "temperature")
"""Fields that some endpoints refuse; those that the published API lacks come first."""

log = logging.getLogger(__name__)


class EndpointError(Exception):
    """There is no answer; the text is a clause that says why."""


class Refused(EndpointError):
    """Asked the same again, it would refuse again."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"it answered {status}: {message!r}")
        self.status = status


class Cancelled(Exception):
    """Nobody wants the answer any more."""


@dataclass(slots=True)
class Asked:
    """One answer, and how long it took: milliseconds."""

    reply: Reply = field(default_factory=Reply)
    waiting_ms: float = 0.0  # until the attempt that was answered
    first_ms: float = 0.0  # from there until the first words
    rest_ms: float = 0.0  # until the last
    left_out: tuple[str, ...] = ()  # fields that the endpoint doesn't take
    broke_off: bool = False  # an attempt did, or ended so that it may have
    is_cut: bool = False  # the time was over before the answer was


class Endpoint:
    """Shared by all threads; a thread of its own does the talking, so that any request can be given up."""

    def __init__(self, url: str, key: str, at_once: int) -> None:
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(None, connect=10.0),
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once),
            trust_env=False,
        )
        self._turns = Turns()
        self._untaken: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._talk, name="openai", daemon=True)
        self._thread.start()

    def networks(self) -> list[str]:
        """Return the names of the networks it serves. Raises EndpointError."""
        listing = asyncio.run_coroutine_threadsafe(self._networks(), self._loop)
        return listing.result()

    def ask(
        self,
        body: Mapping[str, Any],
        limit_s: float,
        show: Callable[[str], None],
        unwanted: threading.Event,
    ) -> Asked:
        """Send a chat completion and wait for its end; `show` gets all of the text so far, often.

        When the limit is reached, what is there by then is returned. Raises EndpointError, or
        Cancelled soon after `unwanted` is set.
        """
        asking = asyncio.run_coroutine_threadsafe(self._ask(body, limit_s, show), self._loop)
        while not wait([asking], _GLANCE_S).done:
            if unwanted.is_set():
                asking.cancel()
                raise Cancelled
        return asking.result()

    def close(self) -> None:
        """Give up what is being asked, and hang up."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _talk(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _hang_up(self) -> None:
        asking = asyncio.all_tasks() - {asyncio.current_task()}
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._client.aclose()
        await asyncio.sleep(0)  # the loop closes sockets a step later

    async def _networks(self) -> list[str]:
        try:
            answer = await self._client.get("models", timeout=_LISTING_S)
        except httpx.HTTPError as error:
            raise EndpointError(_clause(error)) from error
        try:
            listing = read_json(answer.content)
        except Malformed as error:
            raise EndpointError(f"its list of networks can't be read: {error}") from error
        if answer.status_code != 200:
            raise Refused(answer.status_code, message_of(listing))
        entries = listing.get("data") if isinstance(listing, dict) else None
        if not isinstance(entries, list):
            raise EndpointError("it answers no list of networks")
        return [str(entry.get("id")) for entry in entries if isinstance(entry, dict)]

    async def _ask(
        self, body: Mapping[str, Any], limit_s: float, show: Callable[[str], None]
    ) -> Asked:
        asked = Asked()
        begun, why, attempt = time.monotonic(), "", 0
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    await asyncio.sleep(self._turns.pause())
                    asked.reply = Reply()
                    asked.waiting_ms = 1000 * (time.monotonic() - begun)
                    try:
                        await self._attempt(body, asked, show)
                        return asked
                    except _Untaken as refusal:
                        log.info("endpoint takes no %s host=%s", refusal.name, self.host)
                    except (_Passing, httpx.RequestError, Malformed) as failure:
                        why = _clause(failure)
                        log.warning("endpoint is asked again host=%s reason=%s", self.host, why)
                        await asyncio.sleep(back_off(attempt))
                        attempt += 1
        except TimeoutError as error:
            if asked.reply.text:
                asked.is_cut = True
                return asked
            reason = f"; the last of {attempt} failures: {why}" if why else ""
            raise EndpointError(f"no answer came within {limit_s:.0f} s{reason}") from error

    async def _attempt(
        self, body: Mapping[str, Any], asked: Asked, show: Callable[[str], None]
    ) -> None:
        sent, asked.left_out = self._taken(body)
        begun, first = time.monotonic(), None
        request = self._client.stream("POST", "chat/completions", json=sent)
        async with request as answer:
            self._turns.heed(answer.status_code, answer.headers)
            if answer.status_code != 200:
                await self._refuse(answer, sent)
            async for event in _events(answer):
                asked.reply.take(event)
                now = time.monotonic()
                if asked.reply.raw:
                    first = first or now
                    asked.first_ms, asked.rest_ms = 1000 * (first - begun), 1000 * (now - first)
                    show(asked.reply.text)
        if not asked.reply.has_ended and not self._is_whole(asked, answer):
            asked.broke_off = True
            raise Malformed("it broke off in the middle")

    @staticmethod
    def _is_whole(asked: Asked, answer: httpx.Response) -> bool:
        """Judge a stream that stopped and didn't say that it ends: each repeat of it is paid.

        A connection that breaks is noticed where the length was told, or the last chunk is. Where
        neither is, the second answer is taken.
        """
        is_framed = not {"content-length", "transfer-encoding"}.isdisjoint(answer.headers)
        return asked.reply.text != "" and (is_framed or asked.broke_off)

    def _taken(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return what of a request the endpoint takes, and the names of what was left out."""
        sent = {name: value for name, value in body.items() if name not in self._untaken}
        if "max_tokens" in self._untaken:
            sent["max_completion_tokens"] = body["max_tokens"]
        lost = tuple(name for name in OPTIONAL[1:] if name in body and name not in sent)
        return sent, lost

    async def _refuse(self, answer: httpx.Response, sent: Mapping[str, Any]) -> None:
        told: Any = None
        try:
            told = read_json(await _bounded(answer))
            message = message_of(told)
        except Malformed as error:
            message = f"an answer that can't be read ({error})"
        if answer.status_code in _PASSING:
            raise _Passing(f"it answered {answer.status_code}: {message!r}")
        if answer.status_code in (400, 422):
            name = untaken(told, [name for name in ("max_tokens", *OPTIONAL) if name in sent])
            if name is not None:
                self._untaken.add(name)
                raise _Untaken(name)
        raise Refused(answer.status_code, message)


class _Passing(Exception):
    """Refused for now; the text is a clause."""


class _Untaken(Exception):
    """A field isn't taken; it is remembered and left out from now on."""

    def __init__(self, name: str) -> None:
        self.name = name


async def _events(answer: httpx.Response) -> AsyncIterator[Any]:
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        async for event in events(answer.aiter_bytes()):
            yield event
    else:  # an endpoint that doesn't stream
        yield read_json(await _bounded(answer))
        yield DONE


async def _bounded(answer: httpx.Response) -> bytes:
    body = b""
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > _LONGEST_BODY:
            raise Malformed("it is longer than 1 MB")
    return body


def _clause(failure: Exception) -> str:
    """Say what went wrong on the way; httpx's own words are often empty."""
    if isinstance(failure, httpx.ConnectError):
        return "nobody answers at its address"
    if isinstance(failure, httpx.TransportError):
        return f"the connection broke off ({type(failure).__name__})"
    if isinstance(failure, httpx.DecodingError):
        return "its answer can't be used: it can't be decompressed"
    if isinstance(failure, Malformed):
        return f"its answer can't be used: {failure}"
    return str(failure)
