"""A small hub on a loopback port: lists a repository and serves it from a second host by redirects."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

REPOSITORY = "openbmb/MiniCPM-o-4_5-awq"
LARGE = 100_000  # from this size on the hub keeps a file in LFS


@dataclass
class SmallHub:
    """What it serves and how it misbehaves; `asked` is every request that came."""

    files: dict[str, bytes] = field(default_factory=dict)
    repository: str = REPOSITORY
    cut_after: int | None = None  # bytes of a body after which the connection breaks, each time
    cuts_left: int = 10**9
    spoilt: str = ""  # a file that is served with other bytes than its hash says
    answers: tuple[int, str] | None = None  # a status and X-Error-Code for everything
    token: str = ""  # asked of everybody
    ranges: bool = True
    pause: threading.Event | None = None  # bodies stop halfway until it is set
    claims: dict[str, int] = field(default_factory=dict)  # sizes that the list tells instead
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, Range
    tokens_at_storage: list[str | None] = field(default_factory=list)
    url: str = ""
    storage: str = ""

    @property
    def revision(self) -> str:
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    def listing(self) -> bytes:
        siblings = [self._entry(name, content) for name, content in self.files.items()]
        return json.dumps({"sha": self.revision, "siblings": siblings}).encode()

    def _entry(self, name: str, content: bytes) -> dict[str, object]:
        size = self.claims.get(name, len(content))
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry: dict[str, object] = {"rfilename": name, "size": size, "blobId": blob}
        if size >= LARGE:
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": digest, "size": size, "pointerSize": 134}
        return entry

    def downloads(self) -> list[tuple[str, str]]:
        """Return (file, Range) of every body that was asked of the storage."""
        return [(path.rsplit("/", 1)[1], span) for path, span in self.asked if "/store/" in path]


@contextmanager
def running_hub(hub: SmallHub) -> Iterator[SmallHub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            span = self.headers.get("Range", "")
            hub.asked.append((path, span))
            if hub.answers:
                self._send(hub.answers[0], {"X-Error-Code": hub.answers[1]}, b"{}")
            elif path.startswith("/store/"):
                hub.tokens_at_storage.append(self.headers.get("Authorization"))
                self._send_file(path.removeprefix("/store/"), span)
            elif hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                self._send(401, {"X-Error-Code": "GatedRepo"}, b"{}")
            elif path == f"/api/models/{hub.repository}/revision/main":
                self._send(200, {}, hub.listing())
            elif match := re.fullmatch(f"/{hub.repository}/resolve/{hub.revision}/(.+)", path):
                self._send(302, {"Location": f"{hub.storage}/store/{match[1]}"}, b"")
            else:
                self._send(401, {"X-Error-Code": "RepoNotFound"}, b"{}")

        def _send_file(self, name: str, span: str) -> None:
            content = hub.files[name]
            if name == hub.spoilt:
                content = content[:-1] + bytes([content[-1] ^ 1])
            if not span or not hub.ranges:
                self._send(200, {}, content)
                return
            start = int(span.removeprefix("bytes=").removesuffix("-"))
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._send(206, {"Content-Range": place}, content[start:])

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = len(body) // 2
            if "/store/" in self.path and hub.pause is not None:
                self.wfile.write(body[:half])
                self.wfile.flush()
                hub.pause.wait(30)
                body = body[half:]
            if (
                "/store/" in self.path
                and hub.cut_after is not None
                and len(body) > hub.cut_after
                and hub.cuts_left > 0
            ):
                hub.cuts_left -= 1
                self.wfile.write(body[: hub.cut_after])
                self.close_connection = True
                return
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a client that was killed

    with Server(("127.0.0.1", 0), Handler) as server, Server(("127.0.0.1", 0), Handler) as storage:
        for each in (server, storage):
            threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True).start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        hub.storage = f"http://localhost:{storage.server_port}"
        try:
            yield hub
        finally:
            if hub.pause:
                hub.pause.set()
            server.shutdown()
            storage.shutdown()
