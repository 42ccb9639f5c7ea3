"""Where this server may send requests of its own: public addresses, and what its operator allows.

Who may name an address must not be able to reach through us what only we can reach. A name is looked
up once, and the request goes to the very address that was judged: a name that leads elsewhere at its
next look-up gains nothing. However an address is written (decimal, octal, as IPv6), it is judged as what
the system makes of it.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from settings import Settings

Address = IPv4Address | IPv6Address
LookUp = Callable[[str, int], list[str]]

_ROUTED = IPv6Network("2000::/3")  # all of IPv6 that leads to anybody
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))  # lead on to an IPv4 address


class NotAllowed(Exception):
    """The host isn't public and isn't allowed; the text is a sentence for a person."""


class UnknownHost(Exception):
    """The name leads nowhere, now at least; the text is a sentence for a person."""


def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a host as the system knows them. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Hosts:
    """Judges hosts by where their names lead."""

    setting: str  # that allows more than public ones
    allowed: frozenset[str] = frozenset()  # its names, addresses and networks
    look_up: LookUp = look_up

    def addresses_of(self, host: str, port: int) -> list[Address]:
        """Return where to connect to, the first to be tried first. Raises NotAllowed and UnknownHost."""
        try:
            found = self.look_up(host, port)
        except (OSError, UnicodeError):
            raise UnknownHost(f"The name {host[:100]} leads to no server.") from None
        addresses = [ip_address(text.partition("%")[0]) for text in found]
        may_be_asked = [address for address in addresses if self._allows(host, address)]
        if not may_be_asked:
            raise self._refusal(host)
        return may_be_asked

    def check_written(self, host: str) -> None:
        """Judge what needs no look-up: an address, and the names of this machine. Raises NotAllowed."""
        try:
            allowed = self._allows(host, ip_address(host))
        except ValueError:  # a name
            is_us = host == "localhost" or host.endswith(".localhost")
            allowed = not is_us or self._names(host)
        if not allowed:
            raise self._refusal(host)

    def _names(self, host: str) -> bool:
        return host.rstrip(".").lower() in self.allowed

    def _allows(self, host: str, address: Address) -> bool:
        return is_public(address) or self._names(host) or _within(address, self.allowed)

    def _refusal(self, host: str) -> NotAllowed:
        return NotAllowed(
            f"{host[:100]} leads to an address that isn't public. If it is meant, the server's operator "
            f"names it in {self.setting}."
        )


def hosts_to_fetch_from(settings: Settings) -> Hosts:
    return Hosts("FETCH_HOSTS", settings.private_hosts)


def hosts_of_webhooks(settings: Settings) -> Hosts:
    return Hosts("WEBHOOK_HOSTS", settings.private_webhook_hosts)


def is_public(address: Address) -> bool:
    """Tell whether everybody can reach the address."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _ROUTED or any(address in tunnel for tunnel in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _within(address: Address, allowed: frozenset[str]) -> bool:
    for name in allowed:
        try:
            if address in ip_network(name, strict=False):
                return True
        except ValueError:  # a host's name
            continue
    return False
