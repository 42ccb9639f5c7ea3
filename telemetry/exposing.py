"""The port on which a process without a page tells its metrics."""

import hashlib
import hmac
import threading
from collections.abc import Iterable
from socket import AF_INET6
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from settings import BadSetting, Settings
from telemetry.registry import REGISTRY, introduce

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_SILENCE_S = 10.0  # a connection that says nothing for so long is closed


def expose(settings: Settings, program: str) -> None:
    """Tell the metrics from now on, if METRICS_PORT says where. Raises BadSetting for a port in use."""
    introduce(program)
    if settings.metrics_port:
        serve_metrics(
            REGISTRY, settings.metrics_host, settings.metrics_port, settings.metrics_token
        )


def serve_metrics(registry: CollectorRegistry, host: str, port: int, token: str) -> int:
    """Serve in threads of this process; return the port, which port 0 leaves to the system."""
    kind = _ServerOfIPv6 if ":" in host else _Server
    try:
        server = kind((host, port), _Handler)
    except OSError as error:
        raise BadSetting(
            f"Can't tell metrics on {host} port {port}: {error.strerror}. Set METRICS_HOST and "
            "METRICS_PORT to an address of this machine that nobody uses: each process needs its own."
        ) from error
    server.set_app(_Application(registry, token))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_port)


def is_metrics_token(given: str, token: str) -> bool:
    """Tell, in constant time, whether a bearer's secret is METRICS_TOKEN; no secret is if there is none."""
    digests = (
        hashlib.sha256(word.encode(errors="surrogateescape")).digest() for word in (given, token)
    )
    return hmac.compare_digest(*digests) and token != ""


class _Application:
    def __init__(self, registry: CollectorRegistry, token: str) -> None:
        self._tell = make_wsgi_app(registry)
        self._token = token

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics":
            return _refuse(start_response, "404 Not Found", "The metrics are at /metrics.")
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        is_known = scheme.lower() == "bearer" and is_metrics_token(given.strip(), self._token)
        if self._token and not is_known:
            why = "Send the header `Authorization: Bearer TOKEN`, with METRICS_TOKEN."
            return _refuse(start_response, "401 Unauthorized", why)
        answer: Iterable[bytes] = self._tell(environ, start_response)
        return answer


def _refuse(start_response: "StartResponse", status: str, why: str) -> Iterable[bytes]:
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    if status.startswith("401"):
        headers.append(("WWW-Authenticate", "Bearer"))
    start_response(status, headers)
    return [f"{why}\n".encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _ServerOfIPv6(_Server):
    address_family = AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _SILENCE_S

    def log_message(self, *_: Any) -> None:
        """Say nothing: a line each few seconds for each process would be the whole log."""
