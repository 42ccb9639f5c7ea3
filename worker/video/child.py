"""Child program: samples windows from video files for the process that started it.

Ends when its standard input ends, so it never outlives its parent.
"""

import json
import os
import sys
from collections import OrderedDict
from fractions import Fraction
from queue import Queue
from threading import Thread
from typing import Any

import av

from models.errors import AppError, OutOfMemory
from worker.video.choosing import Bounds
from worker.video.confinement import confine
from worker.video.footage import read_table
from worker.video.packets import PacketTable
from worker.video.pictures import Scaler
from worker.video.protocol import DONE, FAILURE, FRAME, HEADER, MILLISECONDS, PTS, WINDOW
from worker.video.sampling import Pictures, Request, sample_windows

WINDOWS_AHEAD = 2  # decoded before the parent asks for them
FILES_REMEMBERED = 3

Message = tuple[bytes, bytes, memoryview | bytes]  # kind, start of the payload, rest of it


def main() -> None:
    confine(cpu_seconds=None)  # the parent watches the clock
    av.logging.set_level(av.logging.PANIC)
    requests: Queue[dict[str, Any]] = Queue()
    answers: Queue[list[Message]] = Queue(WINDOWS_AHEAD)
    Thread(target=_read_requests, args=(requests,), daemon=True).start()
    Thread(target=_write_answers, args=(answers,), daemon=True).start()
    tables = Tables()
    while True:
        _answer(requests.get(), tables, answers)


class Tables:
    """The packet tables of the last few files."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[str, int, int, int], PacketTable] = OrderedDict()

    def of(self, path: str, stream_index: int) -> PacketTable:
        found = os.stat(path)
        key = (path, stream_index, found.st_size, found.st_mtime_ns)
        if key not in self._tables:
            self._tables[key] = read_table(path, stream_index)
        self._tables.move_to_end(key)
        while len(self._tables) > FILES_REMEMBERED:
            self._tables.popitem(last=False)
        return self._tables[key]


def _answer(values: dict[str, Any], tables: Tables, answers: Queue[list[Message]]) -> None:
    request = Request(
        path=values["path"],
        stream_index=values["stream_index"],
        bounds=Bounds(values["origin_pts"], values["last_pts"]),
        windows=[[Fraction(due) for due in window] for window in values["windows"]],
        slot=Fraction(values["slot"]),
    )
    scaler = Scaler(values["width"], values["height"])
    try:
        table = tables.of(request.path, request.stream_index)
        for window in sample_windows(request, table, scaler.picture):
            answers.put(_messages(window))
        answers.put([(DONE, b"", b"")])
    except AppError as error:
        answers.put([_failure(error.kind, str(error))])
    except FileNotFoundError:
        answers.put([_failure("bad-file", "is no longer in its place.")])
    except MemoryError:
        answers.put([_failure(OutOfMemory.kind, "needs more memory than a decoder may take.")])


def _messages(window: Pictures) -> list[Message]:
    frames: list[Message] = [
        (FRAME, PTS.pack(pts), picture.data.cast("B")) for pts, picture in window.pictures
    ]
    return [*frames, (WINDOW, MILLISECONDS.pack(window.decode_ms), b"")]


def _failure(kind: str, text: str) -> Message:
    return FAILURE, json.dumps({"kind": kind, "text": text}).encode(), b""


def _read_requests(requests: Queue[dict[str, Any]]) -> None:
    for line in sys.stdin.buffer:
        requests.put(json.loads(line))
    os._exit(0)


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
