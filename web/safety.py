"""What keeps other people's pages away from this server, and this server's pages harmless."""

from urllib.parse import SplitResult, urlsplit

from flask import Flask, Response, request

from web.errors import Forbidden
from web.site import site

_YEAR_S = 365 * 24 * 3600
_OURSELVES = {"127.0.0.1", "localhost", "::1"}
OPEN_TO_PROBES = {"health.health", "health.ready"}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


def install(app: Flask) -> None:
    app.before_request(_check_host)
    app.before_request(_check_origin)
    app.after_request(_add_headers)


def _check_host() -> None:
    """Refuse another name for this machine: a page elsewhere could have its own name lead here."""
    settings = site().settings
    guarded = settings.is_loopback and not settings.password
    host = _address(f"//{request.headers.get('Host', '')}").hostname
    if guarded and request.endpoint not in OPEN_TO_PROBES and host not in _OURSELVES:
        raise Forbidden(
            "This server answers only to http://127.0.0.1 and http://localhost. To reach it under "
            "another name, set PASSWORD."
        )


def _check_origin() -> None:
    """Refuse a change that another site's page sends with this browser's cookie."""
    is_program = request.headers.get("Authorization", "").lower().startswith("bearer ")
    if request.method in _SAFE_METHODS or is_program:
        return
    site_of_origin = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    foreign = origin is not None and _address(origin).netloc.lower() != request.host.lower()
    if site_of_origin not in ("same-origin", "none") or foreign:
        raise Forbidden("Changes are accepted only from this server's own pages.")


def _address(text: str) -> SplitResult:
    """Take an address apart; one that is no address has no host."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def _add_headers(answer: Response) -> Response:
    is_page = answer.mimetype == "text/html"
    answer.headers["Content-Security-Policy"] = PAGE_POLICY if is_page else FILE_POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["X-Frame-Options"] = "DENY"
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.is_secure and site().settings.proxies:
        answer.headers["Strict-Transport-Security"] = f"max-age={_YEAR_S}"
    if request.endpoint != "static" and not answer.headers.get("Cache-Control"):
        answer.cache_control.no_store = True
    return answer
