"""A real S3 server in a process of its own, and a line to it that can be cut."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from serve.broker import free_port

LISTED_AT_ONCE = 30  # names on a page of a list: few, so that little makes several pages


@contextmanager
def s3_server(log: Path, env: Mapping[str, str] = {}) -> Iterator[int]:
    """Yield the port of an S3 server on loopback; what it holds ends with it."""
    port = free_port()
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(LISTED_AT_ONCE), **env},
            stdout=file,
            stderr=file,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/moto-api/", process)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
        if process.poll() is not None:
            break
    raise RuntimeError("the S3 server doesn't answer")


@dataclass
class Line:
    """A port that leads to another one, until it is cut."""

    target: int
    is_cut: bool = False  # who connects is hung up on
    break_after: int | None = None  # bytes that still come back; then the connection breaks, once
    breaks: int = 0
    hold_at: bytes | None = None  # a request or answer in which this stands waits for `go_on`
    held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    refuse_at: bytes | None = None  # a request in which this stands is hung up on
    refusals: int = 0  # how often that has happened
    most_refusals: int | None = None
    _open: list[socket.socket] = field(default_factory=list)
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False

    def close(self) -> None:
        self.go_on.set()
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self._open += [near, far]
            threading.Thread(target=self._carry, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _refuses(self, request: bytes) -> bool:
        is_over = self.most_refusals is not None and self.refusals >= self.most_refusals
        return self.refuse_at is not None and not is_over and self.refuse_at in request

    def _carry(self, source: socket.socket, target: socket.socket, comes_back: bool) -> None:
        with suppress(OSError), closing(source), closing(target):
            while piece := source.recv(1 << 16):
                if comes_back and self.break_after is not None:
                    self.break_after -= len(piece)
                    if self.break_after < 0:
                        self.break_after = None
                        self.breaks += 1
                        source.shutdown(socket.SHUT_RDWR)
                        target.shutdown(socket.SHUT_RDWR)
                        return
                if not comes_back and self._refuses(piece):
                    self.refusals += 1
                    source.shutdown(socket.SHUT_RDWR)
                    target.shutdown(socket.SHUT_RDWR)
                    return
                if self.hold_at is not None and self.hold_at in piece:
                    self.held.set()
                    self.go_on.wait(60)
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    line = Line(port)
    line.start()
    try:
        yield line
    finally:
        line.close()
