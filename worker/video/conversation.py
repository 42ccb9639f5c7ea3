"""The child's end of one decoder of the parent: what is asked, in order, and what is answered."""

import json
import os
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from fractions import Fraction
from queue import Queue
from threading import Event, Thread
from typing import Any, BinaryIO

from models.errors import AppError, OutOfMemory, Unsupported
from worker.video.choosing import Bounds
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
from worker.video.turns import Turns

NICENESS = 10  # many decoders take all processors: whoever waits for their pictures goes first
WINDOWS_AHEAD = 2  # decoded before the parent asks for them
FILES_REMEMBERED = 3

Asked = tuple[Source, dict[str, Any], bytes]  # the file, what is asked of it, a packed table
Message = tuple[bytes, bytes, memoryview | bytes]  # kind, start of the payload, rest of it


class Conversation:
    """Answers one connection of the parent; `on_gpu`: with the GPU's decoder or not at all."""

    def __init__(
        self,
        parent: socket.socket,
        output: BinaryIO,
        hung_up: Callable[[], None],
        *,
        on_gpu: bool = False,
        turns: Turns | None = None,
    ) -> None:
        """`hung_up` is called, by any thread, when the parent hangs up.

        With `turns` each window waits for one to be decoded in.
        """
        self._turns = turns or Turns(1)
        self._parent, self._output, self._hung_up = parent, output, hung_up
        self._on_gpu = on_gpu
        self._over = Event()
        self._requests: Queue[Asked | None] = Queue()
        self._answers: Queue[list[Message] | None] = Queue(WINDOWS_AHEAD)
        self._tables = Tables()

    def hold(self) -> None:
        """Answer until the parent hangs up."""
        Thread(target=self._read_requests, daemon=True).start()
        writer = Thread(target=self._write_answers, daemon=True)
        writer.start()
        try:
            while (asked := self._requests.get()) is not None:
                source, values, packed = asked
                with closing(source):
                    if values["asks"] == "learn":
                        self._tables.learn(Identity(**values["identity"]), packed)
                    else:
                        self._answer(source, values)
        finally:
            self._answers.put(None)
            writer.join()

    def _answer(self, source: Source, values: dict[str, Any]) -> None:
        for messages in self._answers_to(source, values):
            if self._over.is_set():
                return
            self._answers.put(messages)

    def _answers_to(self, source: Source, values: dict[str, Any]) -> Iterator[list[Message]]:
        try:
            if values["asks"] == "hear":
                span = (Fraction(values[name]) for name in ("origin", "start", "end"))
                yield [(SOUND, b"", hear(source, *span).tobytes())]
                return
            table = self._tables.of(source, values["stream_index"])
            if values["asks"] == "read":
                packed = pack(table) if len(table) <= MOST_BYTES // ROW_BYTES else b""
                yield [(TABLE, b"", packed)]
            else:
                yield from self._sampled(source, values, table)
        except AppError as error:
            yield [_failure(error.kind, str(error))]
        except MemoryError:
            yield [_failure(OutOfMemory.kind, "needs more memory than a decoder may take.")]
        except Exception as error:
            if not self._on_gpu:
                raise
            # Whatever the driver stumbled over, the others' pictures are still being decoded here.
            yield [_failure(Unsupported.kind, f"failed on the GPU ({type(error).__name__}).")]

    def _sampled(
        self, source: Source, values: dict[str, Any], table: PacketTable
    ) -> Iterator[list[Message]]:
        request = Request(
            source=source,
            stream_index=values["stream_index"],
            bounds=Bounds(values["origin_pts"], values["last_pts"]),
            windows=[[Fraction(due) for due in window] for window in values["windows"]],
            slot=Fraction(values["slot"]),
            on_gpu=self._on_gpu,
        )
        scaler = Scaler(values["width"], values["height"])
        with closing(sample_windows(request, table, scaler.picture)) as windows:
            for _ in request.windows:
                with self._turns.turn():
                    if self._over.is_set():
                        return
                    window = next(windows)
                yield _messages(window)
        yield [(DONE, b"", b"")]

    def _read_requests(self) -> None:
        with suppress(ConnectionResetError):  # it hung up before it had read all answers
            while (asked := self._next_request()) is not None:
                self._requests.put(asked)
        self._end()
        self._requests.put(None)

    def _next_request(self) -> Asked | None:
        """Return None once the parent has hung up, or where this process may hold no more files."""
        start, descriptors, *_ = socket.recv_fds(self._parent, REQUEST.size, 1, socket.MSG_WAITALL)
        if len(start) < REQUEST.size or not descriptors:
            return None
        lengths = REQUEST.unpack(start)
        words, table = (self._received(length) for length in lengths)
        if (len(words), len(table)) != lengths:
            os.close(descriptors[0])
            return None
        return Source(descriptors[0]), json.loads(words), table

    def _received(self, length: int) -> bytes:
        return self._parent.recv(length, socket.MSG_WAITALL) if length else b""

    def _write_answers(self) -> None:
        """Write; or only take them, so that nobody waits, once the parent has hung up."""
        while (messages := self._answers.get()) is not None:
            if self._over.is_set():
                continue
            try:
                for kind, start, rest in messages:
                    self._output.write(HEADER.pack(kind, len(start) + len(rest)) + start)
                    self._output.write(rest)
                self._output.flush()
            except (BrokenPipeError, ConnectionResetError):
                self._end()

    def _end(self) -> None:
        self._over.set()
        self._hung_up()


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


def _messages(window: Pictures) -> list[Message]:
    frames: list[Message] = [
        (FRAME, PTS.pack(pts), picture.data.cast("B")) for pts, picture in window.pictures
    ]
    return [*frames, (WINDOW, MILLISECONDS.pack(window.decode_ms), b"")]


def _failure(kind: str, text: str) -> Message:
    return FAILURE, json.dumps({"kind": kind, "text": text}).encode(), b""
