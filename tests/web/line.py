"""A line between a client and the server that can be cut or made noisy: a TCP proxy."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_PIECE = 16_384
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Line:
    """What happens to the connections; `sent` counts what clients sent, in bytes."""

    server_port: int
    listener: socket.socket
    cut_after: list[int] = field(default_factory=list)  # of the next connections, one after another
    damage_at: list[int] = field(default_factory=list)  # ... a byte of each is changed
    is_down: bool = False
    sent: int = 0
    connections: set[socket.socket] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def go_down(self) -> None:
        """Cut every connection and take no other while `is_down`."""
        self.is_down = True
        self.cut()

    def cut(self) -> None:
        """Cut every connection that is open now."""
        for connection in list(self.connections):
            _reset(connection)

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        if self.is_down:
            _reset(client)
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.server_port))
        except OSError:  # it is being restarted
            _reset(client)
            return
        self.connections |= {client, server}
        threading.Thread(target=self._back, args=(server, client), daemon=True).start()
        passed, cut, damage = 0, None, None
        with contextlib.suppress(OSError):
            while piece := client.recv(_PIECE):
                if piece.startswith(b"PATCH "):  # a file; other requests go through
                    passed = 0
                    cut, damage = self._next(self.cut_after), self._next(self.damage_at)
                if damage is not None and passed <= damage < passed + len(piece):
                    at = damage - passed
                    piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
                server.sendall(piece)
                passed += len(piece)
                self.sent += len(piece)
                if cut is not None and passed >= cut:
                    _reset(client)
                    break
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)  # what came through still counts; _back() closes
        self.connections -= {client, server}

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(_PIECE):
                client.sendall(piece)
        _reset(client)
        server.close()

    def _next(self, wishes: list[int]) -> int | None:
        with self.lock:
            return wishes.pop(0) if wishes else None


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def running_line(server_port: int) -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(server_port, listener)
        threading.Thread(target=line.run, daemon=True).start()
        yield line
        listener.shutdown(socket.SHUT_RDWR)
        line.cut()
