"""One connection to an address, over all its redirects, from an offset on if the server can do that."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx
from werkzeug.http import parse_options_header

from models.arriving import Arriving
from models.errors import FetchFailed, InvalidRequest, TimedOut, Unsupported
from models.outbound import Address, Hosts, NotAllowed, UnknownHost
from web.fetching.source import Interrupted, Opened
from web.fetching.urls import parse_url
from web.multipart import TURN

MOST_REDIRECTS = 5
LONGEST_S = 12 * 3600.0  # of one connection
LONGEST_HEAD_S = 120.0  # until it is told, over all redirects, what will be sent
LONGEST_SILENCE_S = 600.0  # in which nothing of the file comes, whatever else does
SLOWEST = (300.0, 300 * 2**14)  # seconds, and what must come in them
_TIMEOUT = httpx.Timeout(connect=10, read=60, write=10, pool=10)
_REDIRECTS = (301, 302, 303, 307, 308)
_MAY_PASS = (408, 425, 429)
_PAGE = ("text/html", "application/xhtml+xml")
_AGENT = "Reelnotes"


@dataclass(frozen=True, slots=True)
class Web:
    """How the network is reached."""

    hosts: Hosts
    trust: ssl.SSLContext = field(default_factory=httpx.create_ssl_context)


@contextmanager
def open_source(web: Web, address: str, offset: int, validator: str | None) -> Iterator[Opened]:
    """Ask for a file from `offset` on, or from its start if it can't be gone on with.

    Raises InvalidRequest for an address that may not be asked, FetchFailed and Unsupported for an
    answer that trying again won't mend, Interrupted for any other trouble, later too.
    """
    with ExitStack() as stack:
        wanted, watch = _range_headers(offset, validator), _Watch()
        stack.callback(watch.end)
        watch.allow(LONGEST_HEAD_S)
        answer = _ask(web, parse_url(address), wanted, stack, watch)
        if wanted and not _goes_on(answer, offset, validator):
            answer = _ask(web, parse_url(address), {}, stack, watch)
        if answer.status_code == 416:  # it ends where we are
            yield Opened(offset, offset, validator, None, lambda part, at: iter(()))
            return
        _check(answer)
        begins = offset if answer.status_code == 206 else 0
        length = answer.headers.get("Content-Length", "")
        rest = int(length) if re.fullmatch(r"\d{1,18}", length) else None
        yield Opened(
            offset=begins,
            length_bytes=None if rest is None else begins + rest,
            validator=_validator(answer),
            filename=_filename(answer),
            bring=lambda part, at: _receive(answer, part, at, watch),
        )


def name_in(address: str) -> str:
    """Return the file's name as its address has it; hostile text."""
    return unquote(httpx.URL(address).path.rstrip("/").rpartition("/")[2])


def _range_headers(offset: int, validator: str | None) -> dict[str, str]:
    if not offset or validator is None:
        return {}
    return {"Range": f"bytes={offset}-", "If-Range": validator}


class _Watch:
    """Hangs up on who takes too long: the library's time limits are for a read, which one byte ends."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """Hear from the library which connection it has made."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = facts["return_value"].get_extra_info("socket")

    def allow(self, seconds: float) -> None:
        """Let so much time pass from now on."""
        self.end()
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _hang_up(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # below TLS, whose state is the reading thread's
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _ask(
    web: Web, url: httpx.URL, headers: dict[str, str], stack: ExitStack, watch: _Watch
) -> httpx.Response:
    """Follow an address to its answer, whose body is still to come; each step is judged anew."""
    for _ in range(MOST_REDIRECTS + 1):
        answer = _connect(web, url, headers, stack, watch)
        if answer.status_code not in _REDIRECTS:
            return answer
        answer.close()
        url = _next(url, answer.headers.get("Location", ""))
    raise FetchFailed(f"The address leads on more than {MOST_REDIRECTS} times.")


def _next(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = parse_url(str(url.join(location)))
    except (httpx.InvalidURL, ValueError):
        raise FetchFailed("The address leads on to something that is no web address.") from None
    if (url.scheme, target.scheme) == ("https", "http"):
        raise FetchFailed("The address leads from https:// to http://, which anybody could change.")
    return target


def _connect(
    web: Web, url: httpx.URL, headers: dict[str, str], stack: ExitStack, watch: _Watch
) -> httpx.Response:
    """Connect to the first of the judged addresses that answers."""
    host = url.raw_host.decode("ascii")
    trouble: Exception | None = None
    for address in _judged(web.hosts, url):
        # A client each: a pool would take connections for the same if only their addresses are.
        client = stack.enter_context(
            httpx.Client(verify=web.trust, trust_env=False, timeout=_TIMEOUT)
        )
        request = client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers={
                "Host": url.netloc.decode("ascii"),
                "User-Agent": _AGENT,
                "Accept": "video/*,*/*;q=0.5",
                "Accept-Encoding": "identity",
                **headers,
            },
            # The name is also the one that the certificate must have.
            extensions={"sni_hostname": host, "trace": watch.trace},
        )
        try:
            return stack.enter_context(_closing(client.send(request, stream=True)))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            trouble = error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Interrupted(f"{host[:100]} gives no proper answer: {_reason(error)}.") from error
    raise Interrupted(f"{host[:100]} can't be reached: {_reason(trouble)}.")


def _judged(hosts: Hosts, url: httpx.URL) -> list[Address]:
    """Return where to connect to for a URL. Raises InvalidRequest and Interrupted."""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        return hosts.addresses_of(url.raw_host.decode("ascii"), port)
    except NotAllowed as refusal:
        raise InvalidRequest(str(refusal)) from None
    except UnknownHost as trouble:
        raise Interrupted(str(trouble)) from None


@contextmanager
def _closing(answer: httpx.Response) -> Iterator[httpx.Response]:
    try:
        yield answer
    finally:
        answer.close()


def _reason(error: Exception | None) -> str:
    """Return a library's words on one line, without the system's number and with no end of their own."""
    words = re.sub(r"\[Errno -?\d+\] ", "", " ".join(str(error).split()))
    return words[:200].rstrip(".") or type(error).__name__


def _goes_on(answer: httpx.Response, offset: int, validator: str | None) -> bool:
    """Tell whether an answer to a range is of use, the whole file included."""
    place: str = answer.headers.get("Content-Range", "")
    if answer.status_code == 416:
        return place == f"bytes */{offset}"
    if answer.status_code != 206:
        return True
    return place.startswith(f"bytes {offset}-") and _validator(answer) == validator


def _check(answer: httpx.Response) -> None:
    status = answer.status_code
    if status in _MAY_PASS or status >= 500:
        raise Interrupted(f"The other server answered {status} {answer.reason_phrase[:60]}.")
    if status not in (200, 206):
        raise FetchFailed(
            f"The other server answered {status} {answer.reason_phrase[:60]}: is the address right, "
            "and open to everybody?"
        )
    if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGE:
        raise Unsupported(
            "The address leads to a web page, not to a video file: take the file's own address."
        )
    if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise Unsupported("The other server sends the file only in a compressed form.")


def _validator(answer: httpx.Response) -> str | None:
    """Return what If-Range takes: an ETag that is not weak, or the time of the last change."""
    etag: str = answer.headers.get("ETag", "")
    if etag.startswith('"'):
        return etag
    changed: str | None = answer.headers.get("Last-Modified")
    return changed


def _filename(answer: httpx.Response) -> str | None:
    _, options = parse_options_header(answer.headers.get("Content-Disposition", ""))
    return options.get("filename")


def _receive(answer: httpx.Response, part: Arriving, offset: int, watch: _Watch) -> Iterator[int]:
    began = time.monotonic()
    looked, then = began, offset
    watch.allow(LONGEST_SILENCE_S)
    try:
        # In pieces as they come: of a piece that is filled up, a broken line would take what there is.
        for piece in answer.iter_raw():
            with TURN:
                offset = part.append(offset, piece)
            part.hand_on()
            yield offset
            now = time.monotonic()
            if now - began > LONGEST_S:
                raise TimedOut(f"The file has not come within {LONGEST_S / 3600:.0f} hours.")
            if now - looked > SLOWEST[0]:
                if offset - then < SLOWEST[1]:
                    raise TimedOut("The other server sends too slowly to wait for.")
                looked, then = now, offset
                watch.allow(LONGEST_SILENCE_S)
    except (httpx.TransportError, httpx.StreamError) as error:
        raise Interrupted(f"The connection broke off: {_reason(error)}.") from error
