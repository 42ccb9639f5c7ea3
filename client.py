"""A client of the API, for programs and for the command line.

    with Client("http://127.0.0.1:8000", token) as client:
        job = client.submit(Path("talk.mp4"), {"capture_fps": "1"})
        job = client.wait(job["id"])
        print(client.export(job["id"], "srt"))

Answers are the API's own JSON, typed. A request whose answer got lost, or that the server asks to send later
(429, 503), is sent again a few times; one that makes something carries a key, so that it is done once.
"""

import errno
import io
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

if TYPE_CHECKING:
    from web.shapes import (
        BatchShape,
        DeliveryListShape,
        DeliveryShape,
        FetchListShape,
        FetchShape,
        FindShape,
        FolderShape,
        JobListShape,
        JobShape,
        RenderShape,
        SegmentListShape,
        SegmentShape,
        WebhookListShape,
        WebhookSecretShape,
        WebhookShape,
    )

Answer = TypeVar("Answer")

ENDED = ("done", "failed", "cancelled")
TRIES = 4
LONGEST_PAUSE_S = 30.0  # between two of them; told to wait longer, a call fails
LONGEST_UNDER_WAY_S = 15 * 60.0  # that a server holds a key; then it is free again
PATIENCE_S = 10 * 60.0  # of what waits, with a server that went away: it may be restarted

_POLL_S = 2.0  # where the server has no room for one more stream
_LONGEST_BACK_OFF_S = 10.0
_SILENCE_S = 60.0  # of a stream, which speaks every 15 s


class ClientError(Exception):
    """The root of what a call raises."""


class BadAddress(ClientError):
    """Nothing can be asked at such an address; the text says what one looks like."""


class Unreachable(ClientError):
    """No server answers; the text says where it was looked for."""


class Refused(ClientError):
    """The server refuses; `kind` is stable, the text a sentence for a person."""

    def __init__(
        self, kind: str, message: str, status: int = 0, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.retry_after_s = retry_after_s  # None: the server doesn't say


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job: "segments", "writing", "job" or "deleted"; see docs/api.md."""

    name: str
    data: Any


class Client:
    """Talks to one server. Every call raises Unreachable or Refused."""

    def __init__(self, url: str, token: str = "") -> None:
        """`token` is one of the server's tokens, or its PASSWORD. Raises BadAddress."""
        _check_address(url)
        headers = {b"Authorization": f"Bearer {token}".encode()} if token else {}
        # Proxies of the environment are for the outside; a probe of a large file takes its time.
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=httpx.Timeout(30, read=600), trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(
        self,
        path: Path,
        parameters: Mapping[str, str],
        sent: Callable[[int], None] = lambda _: None,
        *,
        key: str | None = None,
    ) -> "JobShape":
        """Upload a file and queue it.

        `sent` is told of each piece's bytes as it leaves, and of less than none when it must be sent again.
        A `key` of your own makes it one job however often you call, within a day.
        Of a file that grows, what it was at first is sent. Raises OSError if it can't be read to there.
        """
        filename = path.name.encode(errors="replace").decode()
        with _ToldFile(path, sent) as file:
            job: JobShape = self._json(
                "POST",
                "/api/jobs",
                key=key or new_key(),
                before=file.rewind,
                data={**parameters, "filename": filename},
                files={"file": ("video", file, "application/octet-stream")},
            )
        return job

    def fetch(self, kind: str, address: str, parameters: Mapping[str, str]) -> "FetchShape":
        """Have the server get a file by itself: `kind` is "paths" or "urls"."""
        wish = {kind: [address], "fields": dict(parameters)}
        begun = self._json("POST", "/api/fetches", json=wish)
        for refusal in begun["refused"]:
            raise Refused(refusal["error"]["kind"], refusal["error"]["message"])
        fetch: FetchShape = begun["fetches"][0]
        return fetch

    def all_fetches(self) -> "Iterator[FetchShape]":
        """Yield your fetches that have no job yet, newest first, page by page."""
        before: str | None = ""
        while before is not None:
            page: FetchListShape = self._json(
                "GET", "/api/fetches", params=_given({"before": before})
            )
            yield from page["fetches"]
            before = page["next"]

    def fetch_state(self, fetch_id: str) -> "FetchShape":
        fetch: FetchShape = self._json("GET", _fetch(fetch_id))
        return fetch

    def retry_fetch(self, fetch_id: str) -> None:
        self._send("POST", f"{_fetch(fetch_id)}/retry")

    def remove_fetch(self, fetch_id: str) -> None:
        self._send("DELETE", _fetch(fetch_id))

    def folder(self, path: str, containing: str = "") -> "FolderShape":
        """List a folder in the server's, "" for itself."""
        wish = {"path": path, "q": containing}
        found: FolderShape = self._json("GET", "/api/folder", params=wish)
        return found

    def run(
        self,
        job_id: str,
        parameters: Mapping[str, str] | None = None,
        windows: str = "",
        *,
        key: str | None = None,
    ) -> "JobShape":
        """Comment a job's video again, whole or in windows such as "0-3,7"."""
        wish = {"parameters": dict(parameters or {}), "windows": windows}
        job: JobShape = self._json("POST", f"{_job(job_id)}/runs", key=key or new_key(), json=wish)
        return job

    def job(self, job_id: str) -> "JobShape":
        job: JobShape = self._json("GET", _job(job_id))
        return job

    def jobs(self, limit: int, before: str = "", state: str = "", **more: str) -> "JobListShape":
        """List jobs, newest first; `before` is the last answer's `next`, `more` other filters of the API."""
        wish = {"limit": str(limit), "before": before, "state": state, **more}
        jobs: JobListShape = self._json("GET", "/api/jobs", params=_given(wish))
        return jobs

    def all_jobs(self, **filters: str) -> "Iterator[JobShape]":
        """Yield all jobs, newest first, page by page."""
        before: str | None = ""
        while before is not None:
            page = self.jobs(200, before, **filters)
            yield from page["jobs"]
            before = page["next"]

    def segments(self, job_id: str, since: int = 0) -> "SegmentListShape":
        """Return the segments from window `since` on; ask again from the answer's `next`."""
        segments: SegmentListShape = self._json(
            "GET", f"{_job(job_id)}/segments", params={"since": str(since)}
        )
        return segments

    def correct(
        self, job_id: str, window: int, text: str | None, revision: int, by: str = ""
    ) -> "SegmentShape":
        """Let a segment say something else; None brings the original back."""
        wish: dict[str, Any] = {"text": text, "revision": revision, **_given({"by": by})}
        segment: SegmentShape = self._json(
            "PUT", f"{_job(job_id)}/segments/{window}/text", json=wish
        )
        return segment

    def search(self, words: str, **filters: str) -> "FindShape":
        """Find comments, speech and summaries that hold all words."""
        found: FindShape = self._json("GET", "/api/search", params={"q": words, **filters})
        return found

    def change(self, job_id: str, wish: str) -> "JobShape":
        """Cancel, pause, resume or retry a job."""
        job: JobShape = self._json("POST", f"{_job(job_id)}/{wish}")
        return job

    def batch(self, action: str, job_ids: Sequence[str], *, key: str | None = None) -> "BatchShape":
        """Do one thing to many jobs: "pause", "resume", "cancel", "retry" or "delete"."""
        outcome: BatchShape = self._json(
            "POST",
            "/api/jobs/batch",
            key=key or new_key(),
            json={"action": action, "ids": list(job_ids)},
        )
        return outcome

    def delete(self, job_id: str) -> None:
        self._send("DELETE", _job(job_id))

    def wait(
        self,
        job_id: str,
        changed: "Callable[[JobShape], None]" = lambda _: None,
        lost: Callable[[ClientError], None] = lambda _: None,
    ) -> "JobShape":
        """Return the job once it has ended; `changed` is told of it meanwhile.

        A server that goes away is waited for, as outlast() does, and `lost` is told.
        """
        while True:
            is_broken = False
            try:
                for event, _ in self._listen(job_id, since=2**31 - 1):
                    if event.name == "deleted":
                        break
                    if event.name == "job":
                        job: JobShape = event.data
                        changed(job)
                        if job["state"] in ENDED:
                            return job
            except (Refused, httpx.TransportError) as error:
                if isinstance(error, Refused) and error.kind != "unavailable":
                    raise
                is_broken = True
            # Also where the stream ended early. Raises Refused for a deleted one.
            job = outlast(lambda: self.job(job_id), lost)
            changed(job)
            if job["state"] in ENDED:
                return job
            if is_broken:
                time.sleep(_POLL_S)

    def events(self, job_id: str, since: int = 0) -> Iterator[Event]:
        """Yield what happens to a job, from window `since` on, until it has ended; reconnects by itself."""
        failures = 0
        while True:
            try:
                for event, last_id in self._listen(job_id, since):
                    failures = 0
                    since = max(since, last_id)
                    yield event
                    if event.name == "deleted" or (
                        event.name == "job" and event.data["state"] in ENDED
                    ):
                        return
            except httpx.TransportError as error:
                failures += 1
                if failures == TRIES:
                    raise self._unreachable(error) from error
            time.sleep(_pause_s(failures, None))

    def _listen(self, job_id: str, since: int) -> Iterator[tuple[Event, int]]:
        """Yield the events of one connection. Raises Refused, or TransportError where it breaks."""
        with self._http.stream(
            "GET",
            f"{_job(job_id)}/events",
            params={"since": str(since)},
            timeout=httpx.Timeout(30, read=_SILENCE_S),
        ) as answer:
            if not answer.is_success:
                answer.read()
                raise _refusal(answer)
            yield from _parse(answer.iter_lines())

    def export(self, job_id: str, export_format: str, **choices: str) -> str:
        """Return the commentary so far as srt, vtt, json … with `text`, `cues` as chosen."""
        return self._send("GET", f"{_job(job_id)}/export.{export_format}", params=choices).text

    def save(self, job_id: str, export_format: str, choices: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the pieces of an export's file."""
        address = f"{_job(job_id)}/export.{export_format}"
        try:
            with self._http.stream("GET", address, params=dict(choices)) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer)
                yield from answer.iter_bytes()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def want_render(
        self, job_id: str, export_format: str, choices: Mapping[str, str]
    ) -> "RenderShape":
        """Have a file rendered that takes time, unless it is there or under way."""
        return self._render("POST", job_id, export_format, choices)

    def render(self, job_id: str, export_format: str, choices: Mapping[str, str]) -> "RenderShape":
        """Tell how far it is; of one that is neither there nor under way the state is "none"."""
        return self._render("GET", job_id, export_format, choices)

    def _render(
        self, method: str, job_id: str, export_format: str, choices: Mapping[str, str]
    ) -> "RenderShape":
        address = f"{_job(job_id)}/renders/{export_format}"
        render: RenderShape = self._json(method, address, params=dict(choices))
        return render

    def webhooks(self) -> "WebhookListShape":
        hooks: WebhookListShape = self._json("GET", "/api/webhooks")
        return hooks

    def add_webhook(self, url: str, events: Sequence[str] = ()) -> "WebhookSecretShape":
        """Register an address for events, or all of them; the answer alone holds its secret."""
        wish = {"url": url, **({"events": list(events)} if events else {})}
        hook: WebhookSecretShape = self._json("POST", "/api/webhooks", json=wish)
        return hook

    def change_webhook(self, webhook_id: str, **changes: Any) -> "WebhookShape":
        """Change `url`, `events` or `enabled`."""
        hook: WebhookShape = self._json("PATCH", _hook(webhook_id), json=changes)
        return hook

    def rotate_secret(self, webhook_id: str) -> "WebhookSecretShape":
        """Make a new secret; the old one signs beside it for a day."""
        hook: WebhookSecretShape = self._json("POST", f"{_hook(webhook_id)}/secret")
        return hook

    def delete_webhook(self, webhook_id: str) -> None:
        self._send("DELETE", _hook(webhook_id))

    def deliveries(self, webhook_id: str, **filters: str) -> "DeliveryListShape":
        """List what a webhook was told, newest first; `limit`, `before`, `state`, `event`."""
        found: DeliveryListShape = self._json(
            "GET", f"{_hook(webhook_id)}/deliveries", params=filters
        )
        return found

    def redeliver(self, webhook_id: str, delivery_id: str) -> "DeliveryShape":
        """Send a message again, under its own id."""
        address = f"{_hook(webhook_id)}/deliveries/{_known('delivery', delivery_id)}/redeliver"
        delivery: DeliveryShape = self._json("POST", address)
        return delivery

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return self._send(method, path, **options).json()

    def _send(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        before: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> httpx.Response:
        """Send a request, again where that may help and can't do harm; `before` comes before each time."""
        headers = {"Idempotency-Key": key} if key else {}
        may_repeat = key is not None or method in ("GET", "PUT", "DELETE")
        tried, is_lost, patience_ends = 0, False, 0.0
        while True:
            tried += 1
            before()
            wait_s = None
            try:
                answer = self._http.request(method, path, headers=headers, **options)
            except httpx.ConnectError as error:
                raise self._unreachable(error) from error
            except httpx.TransportError as error:
                if not may_repeat or tried == TRIES:
                    raise self._unreachable(error) from error
                is_lost = True
            else:
                if answer.is_success:
                    return answer
                if is_lost and method == "DELETE" and answer.status_code == 404:
                    return answer  # that whose answer got lost has done it
                refusal = _refusal(answer)
                if key is not None and _is_under_way(refusal):
                    patience_ends = patience_ends or time.monotonic() + LONGEST_UNDER_WAY_S
                    if time.monotonic() > patience_ends:
                        raise refusal
                    tried -= 1
                # Both say that nothing was done.
                elif refusal.status not in (429, 503) or tried == TRIES:
                    raise refusal
                wait_s = refusal.retry_after_s
                if wait_s is not None and wait_s > LONGEST_PAUSE_S:
                    raise refusal
            time.sleep(_pause_s(tried, wait_s))

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        return Unreachable(
            f"No Reelnotes server answers at {self._http.base_url} ({error}). "
            "Start one with `reelnotes serve`, or name it with --server."
        )


def outlast(
    ask: Callable[[], Answer], lost: Callable[[ClientError], None] = lambda _: None
) -> Answer:
    """Ask until a server that went away is back, within PATIENCE_S; `lost` is told once why.

    Raises Unreachable if it doesn't come back, and whatever else `ask` raises.
    """
    tried, ends = 0, time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except (Unreachable, Refused) as error:
            if isinstance(error, Refused) and error.status not in (502, 503, 504):
                raise  # by the server itself, not by a proxy before it or for the store behind it
            if time.monotonic() > ends:
                raise Unreachable(
                    f"{error} Given up after {PATIENCE_S / 60:.0f} minutes: "
                    "what the server was given goes on once it is back."
                ) from error
            tried += 1
            if tried == 1:
                lost(error)
            time.sleep(min(_pause_s(tried, None), _LONGEST_BACK_OFF_S))


def new_key() -> str:
    """Return an Idempotency-Key that nobody has used."""
    return str(uuid.uuid4())


def _check_address(url: str) -> None:
    """Refuse what httpx would choke on, or call a server that doesn't answer.

    It is not quoted: a password may be in it.
    """
    try:
        address = httpx.URL(url)
        is_good = address.scheme in ("http", "https") and address.host != ""
        is_good = is_good and 0 < (address.port or 80) < 2**16
    except (httpx.InvalidURL, ValueError):
        is_good = False
    if not is_good:
        raise BadAddress(
            "This is no server's address: write it whole, such as http://127.0.0.1:8000 or "
            "https://videos.example.org."
        )


def _job(job_id: str) -> str:
    return f"/api/jobs/{_known('job', job_id)}"


def _fetch(fetch_id: str) -> str:
    return f"/api/fetches/{_known('fetch', fetch_id)}"


def _hook(webhook_id: str) -> str:
    return f"/api/webhooks/{_known('webhook', webhook_id)}"


def _known(thing: str, its_id: str) -> str:
    """Refuse what no server takes for an id: it would answer that there is no such address."""
    if not re.fullmatch("[a-z2-7]{16}", its_id):
        told = f"There is no {thing} {its_id[:40]!r}; it may have been deleted."
        raise Refused("not-found", told, 404)
    return its_id


def _is_under_way(refusal: Refused) -> bool:
    """Tell a request that the server still works on, since its line broke, from one against a job's state."""
    return refusal.status == 409 and refusal.retry_after_s is not None


def _given(wish: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wish.items() if value}


def _pause_s(tried: int, told_s: float | None) -> float:
    return told_s if told_s is not None else 0.5 * 2 ** max(tried - 1, 0)


def _parse(lines: Iterator[str]) -> Iterator[tuple[Event, int]]:
    """Yield server-sent events, each with the last id that was told."""
    name, data, last_id = "", "", 0
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data += value
        elif field == "id":
            last_id = int(value)
        elif not line and name:
            yield Event(name, json.loads(data)), last_id
            name, data = "", ""


class _ToldFile(io.FileIO):
    """A file that tells of each piece that is read of it, and stays as long as it was when opened.

    Its length is told to the server before its bytes are: neither more nor less may follow.
    """

    def __init__(self, path: Path, sent: Callable[[int], None]) -> None:
        super().__init__(path)
        self._sent = sent
        self._length = os.fstat(super().fileno()).st_size

    def fileno(self) -> int:
        """Let httpx not ask the system for the length: it may be another by now."""
        raise io.UnsupportedOperation("fileno")

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            return super().seek(self._length + offset)
        return super().seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._length - self.tell()
        piece = super().read(left if size is None or size < 0 else min(size, left))
        if left and size and not piece:
            raise OSError(errno.EIO, "it became shorter while it was sent", self.name)
        self._sent(len(piece))
        return piece

    def rewind(self) -> None:
        """Begin anew, and take back what was told."""
        if done := self.tell():
            self._sent(-done)
        self.seek(0)


def _refusal(answer: httpx.Response) -> Refused:
    told = answer.headers.get("Retry-After", "")
    retry_after_s = float(told) if told.isdecimal() else None
    try:
        error = answer.json()["error"]
        return Refused(error["kind"], error["message"], answer.status_code, retry_after_s)
    except (ValueError, KeyError, TypeError):
        return Refused(
            "unavailable",
            f"The server answered {answer.status_code} without saying why.",
            answer.status_code,
            retry_after_s,
        )
