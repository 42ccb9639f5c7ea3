"""A server of files on a loopback port, with the manners that a test wants."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PIECE = 2**14


@dataclass
class FileServer:
    """What it serves, at whatever path, and how it misbehaves; `asked` is every request that came."""

    content: bytes = b""
    etag: str | None = '"one"'
    ranges: bool = True
    heeds_if_range: bool = True
    tells_length: bool = True
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)  # path: Location
    cut_after: int | None = None  # bytes of a body after which the connection breaks
    cuts_left: int = 0
    drips: str | None = None  # "head" or "body": sent a byte at a time, of something without an end
    pause_after: int | None = None  # bytes of a body after which it waits for `go_on`
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/bars.mp4", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def ranges_asked(self) -> list[str | None]:
        return [span for _, span, _ in self.asked]


@contextmanager
def running_file_server(tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    files = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            span = self.headers.get("Range")
            files.asked.append((self.path, span, self.headers.get("Host")))
            if self.path in files.redirects:
                self.send_response(302)
                self.send_header("Location", files.redirects[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if files.drips:
                self._drip()
                return
            begin = self._begin(span)
            body = files.content[begin:]
            self.send_response(206 if begin else files.status)
            if begin:
                total = len(files.content)
                self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
            if files.etag is not None:
                self.send_header("ETag", files.etag)
            if files.tells_length:
                self.send_header("Content-Length", str(len(body)))
            for name, value in files.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self._send(body)

        def _drip(self) -> None:
            """Send a header, or the first chunk's length, as slowly as no time limit of a read minds."""
            head = b"HTTP/1.1 200 OK\r\n"
            if files.drips == "body":
                head += b"Transfer-Encoding: chunked\r\n\r\n1;"
            with suppress(OSError):
                self.wfile.write(head)
                while not files.go_on.wait(0.1):
                    self.wfile.write(b"x")
            self.close_connection = True

        def _begin(self, span: str | None) -> int:
            is_same = self.headers.get("If-Range") == files.etag or not files.heeds_if_range
            if span is None or not files.ranges or not is_same:
                return 0
            return int(span.removeprefix("bytes=").rstrip("-"))

        def _send(self, body: bytes) -> None:
            cut = None
            if files.cuts_left:
                files.cuts_left -= 1
                cut = files.cut_after
            try:
                for first in range(0, len(body), _PIECE):
                    if cut is not None and first >= cut:
                        self.connection.close()
                        return
                    if files.pause_after is not None and first >= files.pause_after:
                        files.go_on.wait(60)
                    self.wfile.write(body[first : first + _PIECE])
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        files.port = server.server_address[1]
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield files
        finally:
            files.go_on.set()
            server.shutdown()
            thread.join()
