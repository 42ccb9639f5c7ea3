"""Where this server may send requests of its own: public addresses, and what its operator allows.

Who may name an address must not be able to reach through us what only we can reach. A name is resolved
once and the request goes to the address that was checked: a name that leads elsewhere a moment later
gains nothing.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from models.errors import InvalidRequest

Address = IPv4Address | IPv6Address

LONGEST_URL = 2000  # characters

_ROUTED = IPv6Network("2000::/3")  # all of IPv6 that leads to anybody
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))  # lead on to an IPv4 address


class NotAllowed(Exception):
    """The address isn't public and isn't allowed, or its name leads nowhere; the text says which."""


def check_url(url: str, allowed: Iterable[str]) -> None:
    """Refuse what can't be sent to; a name is judged when it is resolved. Raises InvalidRequest."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest("A webhook's url is an address such as https://example.org/hook.")
    if parts.username is not None or parts.fragment or len(url) > LONGEST_URL:
        raise InvalidRequest(
            f"A webhook's url has no password, no fragment and at most {LONGEST_URL} characters."
        )
    host = parts.hostname
    literal = _literal(host)
    names_us = host == "localhost" or host.endswith(".localhost")
    if (literal is not None and not is_public(literal)) or names_us:
        try:
            _check(host, literal, tuple(allowed))
        except NotAllowed as refusal:
            raise InvalidRequest(str(refusal)) from None


def resolve(url: str, allowed: Iterable[str]) -> Address:
    """Return an address of the url's host to which a request may go. Raises NotAllowed."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, parts.port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotAllowed(f"There is no host called {host[:80]!r}.") from None
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    names = tuple(allowed)
    for address in addresses:
        _check(host, address, names)
    return addresses[0]


def is_public(address: Address) -> bool:
    """Tell whether everybody can reach the address."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _ROUTED or any(address in tunnel for tunnel in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _check(host: str, address: Address | None, allowed: tuple[str, ...]) -> None:
    if host in allowed or (
        address is not None and (is_public(address) or _within(address, allowed))
    ):
        return
    raise NotAllowed(
        f"{host[:80]} leads to an address that isn't public. If it is meant, the server's operator names it "
        "in WEBHOOK_HOSTS."
    )


def _within(address: Address, allowed: tuple[str, ...]) -> bool:
    for name in allowed:
        try:
            if address in ip_network(name, strict=False):
                return True
        except ValueError:  # a host's name
            continue
    return False


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _split(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (it raises)
    except ValueError:
        return None
    return parts
