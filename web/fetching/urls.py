"""Which texts are addresses that could be fetched; where they lead is judged by models/outbound.py."""

import re

import httpx

from models.errors import InvalidRequest

LONGEST_URL = 4000  # characters

_HOST = re.compile(r"[0-9A-Za-z._:-]+")


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
