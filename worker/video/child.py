"""Child program: samples windows from video files for the process that started it.

Ends when its standard input ends, so it never outlives its parent.
"""

import json
import os
import socket
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from queue import Queue
from threading import Thread
from typing import Any

import av

from models.errors import AppError, OutOfMemory
from worker.video.choosing import Bounds
from worker.video.confinement import confine
from worker.video.footage import read_table
from worker.video.hearing import hear
from worker.video.packets import PacketTable
from worker.video.pictures import Scaler
from worker.video.protocol import (
    DONE,
    FAILURE,
    FRAME,
    HEADER,
    MILLISECONDS,
    PTS,
    REQUEST,
    SOUND,
    TABLE,
    WINDOW,
)
from worker.video.sampling import Pictures, Request, sample_windows
from worker.video.source import Source
from worker.video.tables import MOST_BYTES, ROW_BYTES, Identity, pack, unpack

WINDOWS_AHEAD = 2  # decoded before the parent asks for them
FILES_REMEMBERED = 3

Asked = tuple[Source, dict[str, Any], bytes]  # the file, what is asked of it, a packed table
Message = tuple[bytes, bytes, memoryview | bytes]  # kind, start of the payload, rest of it


def main() -> None:
    confine(cpu_seconds=None)  # the parent watches the clock
    av.logging.set_level(None)  # any level lets FFmpeg's threads wait for Python's lock: deadlock
    requests: Queue[Asked] = Queue()
    answers: Queue[list[Message]] = Queue(WINDOWS_AHEAD)
    Thread(target=_read_requests, args=(requests,), daemon=True).start()
    Thread(target=_write_answers, args=(answers,), daemon=True).start()
    tables = Tables()
    while True:
        source, values, packed = requests.get()
        if values["asks"] == "learn":
            tables.learn(Identity(**values["identity"]), packed)
        else:
            for messages in _answers(source, values, tables):
                answers.put(messages)
        source.close()


class Tables:
    """The packet tables of the last few files."""

    def __init__(self) -> None:
        self._tables: OrderedDict[Identity, PacketTable] = OrderedDict()

    def of(self, source: Source, stream_index: int) -> PacketTable:
        """Return the table, read if need be. Raises AppErrors."""
        identity = source.identity(stream_index)
        if identity not in self._tables:
            self._remember(identity, read_table(source, stream_index))
        self._tables.move_to_end(identity)
        return self._tables[identity]

    def learn(self, identity: Identity, packed: bytes) -> None:
        """Take over what another child says to have read: of use while the file is the same.

        That child may have been taken over by the file: what is no sound table is read anew.
        """
        with suppress(ValueError, MemoryError):
            self._remember(identity, unpack(packed))

    def _remember(self, identity: Identity, table: PacketTable) -> None:
        self._tables[identity] = table
        while len(self._tables) > FILES_REMEMBERED:
            self._tables.popitem(last=False)


def _answers(source: Source, values: dict[str, Any], tables: Tables) -> Iterator[list[Message]]:
    try:
        if values["asks"] == "hear":
            span = (Fraction(values[name]) for name in ("origin", "start", "end"))
            yield [(SOUND, b"", hear(source, *span).tobytes())]
            return
        table = tables.of(source, values["stream_index"])
        if values["asks"] == "read":
            packed = pack(table) if len(table) <= MOST_BYTES // ROW_BYTES else b""
            yield [(TABLE, b"", packed)]
        else:
            yield from _sampled(source, values, table)
    except AppError as error:
        yield [_failure(error.kind, str(error))]
    except MemoryError:
        yield [_failure(OutOfMemory.kind, "needs more memory than a decoder may take.")]


def _sampled(source: Source, values: dict[str, Any], table: PacketTable) -> Iterator[list[Message]]:
    request = Request(
        source=source,
        stream_index=values["stream_index"],
        bounds=Bounds(values["origin_pts"], values["last_pts"]),
        windows=[[Fraction(due) for due in window] for window in values["windows"]],
        slot=Fraction(values["slot"]),
    )
    scaler = Scaler(values["width"], values["height"])
    for window in sample_windows(request, table, scaler.picture):
        yield _messages(window)
    yield [(DONE, b"", b"")]


def _messages(window: Pictures) -> list[Message]:
    frames: list[Message] = [
        (FRAME, PTS.pack(pts), picture.data.cast("B")) for pts, picture in window.pictures
    ]
    return [*frames, (WINDOW, MILLISECONDS.pack(window.decode_ms), b"")]


def _failure(kind: str, text: str) -> Message:
    return FAILURE, json.dumps({"kind": kind, "text": text}).encode(), b""


def _read_requests(requests: Queue[Asked]) -> None:
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        while True:
            start, descriptors, *_ = socket.recv_fds(parent, REQUEST.size, 1, socket.MSG_WAITALL)
            if len(start) < REQUEST.size:
                os._exit(0)
            words, table = (_received(parent, length) for length in REQUEST.unpack(start))
            requests.put((Source(descriptors[0]), json.loads(words), table))


def _received(parent: socket.socket, length: int) -> bytes:
    data = parent.recv(length, socket.MSG_WAITALL) if length else b""
    if len(data) < length:
        os._exit(0)
    return data


def _write_answers(answers: Queue[list[Message]]) -> None:
    output = sys.stdout.buffer
    while True:
        for kind, start, rest in answers.get():
            output.write(HEADER.pack(kind, len(start) + len(rest)) + start)
            output.write(rest)
        try:
            output.flush()
        except BrokenPipeError:
            os._exit(0)


if __name__ == "__main__":
    main()
