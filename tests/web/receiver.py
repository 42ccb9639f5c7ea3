"""A receiver of webhooks: a real HTTP server in a thread, which answers as it is told."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    url: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next answers; then 204
    received: list[Received] = field(default_factory=list)
    cookie: str = ""  # that it sets
    hangs: threading.Event = field(default_factory=threading.Event)  # set: never answers
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self) -> Received:
        assert self.came.acquire(timeout=60), "nothing came"
        return self.received[-1]


@contextmanager
def running_receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            receiver.came.release()
            if receiver.hangs.is_set():
                ended.wait()
                return
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            if receiver.cookie:
                self.send_header("Set-Cookie", receiver.cookie)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook?key=1"
    try:
        yield receiver
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def dripping(answer: bytes) -> Iterator[int]:
    """Yield the port of one who sends ten bytes of the answer a second, whatever it is asked, then hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line, suppress(OSError):
                for place in range(len(answer)):
                    line.sendall(answer[place : place + 1])
                    time.sleep(0.1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
