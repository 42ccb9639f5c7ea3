"""The web page's port: bound here and handed to the web process, so that it outlives its restarts."""

import errno
import socket

TRIED_PORTS = 50


class CannotListen(RuntimeError):
    """The address can't be used; the text says why."""


def listen(host: str, port: int) -> socket.socket:
    """Listen on the port, or the next free one. Raises CannotListen."""
    last = min(port + TRIED_PORTS, 65_535)
    for candidate in range(port, last + 1):
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise CannotListen(
                f"Can't listen on {host} port {candidate}: {error.strerror}. "
                "Set WEB_HOST and WEB_PORT to an address of this machine."
            ) from error
    raise CannotListen(f"Ports {port} to {last} of {host} are all in use: set WEB_PORT.")


def page_url(listener: socket.socket) -> str:
    """Return the URL under which a browser on this machine finds the page."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(address[:2], family=family, backlog=2048)
