"""Which addresses may be asked: public ones, and the hosts that the operator names.

A name is looked up once, and the connection goes to the very address that was judged: a name that
leads elsewhere at its next look-up gains nothing. However an address is written (decimal, octal, as
IPv6), it is judged as what the system makes of it.
"""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

import httpx

from models import outbound
from models.errors import InvalidRequest
from web.fetching.source import Interrupted

LONGEST_URL = 4000  # characters

_HOST = re.compile(r"[0-9A-Za-z._:-]+")

Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host as texts. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def parse_url(text: str) -> httpx.URL:
    """Read an address that could be fetched. Raises InvalidRequest; nothing is looked up yet."""
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, TypeError, ValueError):
        raise InvalidRequest(
            "This is no web address: write it as https://host/video.mp4."
        ) from None
    if len(text) > LONGEST_URL or (url.port or 0) > 65535:
        raise InvalidRequest(
            f"An address has at most {LONGEST_URL} characters, a port at most 65535."
        )
    if url.scheme not in ("http", "https") or not _HOST.fullmatch(host) or url.port == 0:
        raise InvalidRequest("Only addresses that begin with http:// or https:// can be fetched.")
    if url.userinfo:
        raise InvalidRequest(
            "An address with a user name or password is not fetched: it would be stored here."
        )
    return url.copy_with(fragment=None)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Judges hosts by their addresses."""

    private: frozenset[str] = frozenset()  # names that may lead to any address
    resolve: Resolve = resolve

    def addresses_of(self, url: httpx.URL) -> list[str]:
        """Return where to connect to for a URL. Raises InvalidRequest and Interrupted."""
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = self.resolve(host, port)
        except (OSError, UnicodeError):
            raise Interrupted(f"The name {host[:100]} leads to no server.") from None
        if host.rstrip(".").lower() in self.private:
            return found
        public = [address for address in found if _is_public(address)]
        if not public:
            raise InvalidRequest(
                f"{host[:100]} is on a private network, from which this server fetches nothing "
                "unless its operator names the host (setting FETCH_HOSTS)."
            )
        return public


def _is_public(text: str) -> bool:
    try:
        return outbound.is_public(ip_address(text))
    except ValueError:
        return False
