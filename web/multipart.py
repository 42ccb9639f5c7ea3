"""Reads a form with one file in it, handing the file on piece by piece instead of keeping it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Protocol

from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from models.errors import InvalidRequest

PIECE_BYTES = 2**18
TURN = threading.Lock()
"""Whoever has received a piece waits for this before taking it up. Python runs one thread at a time:
without turns twenty uploads stand before whoever only wants to see a page."""

_BUFFER_BYTES = 2**20  # a piece, and what is left of the one before
_MOST_PARTS = 40
_LONGEST_FIELD_BYTES = 2**15  # a system prompt, whatever its script


class Sink(Protocol):
    def write(self, data: bytes) -> int: ...


@dataclass(slots=True)
class Form:
    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None  # None: no file came


def read_form(
    stream: IO[bytes], boundary: str, sink: Sink, before_file: Callable[[Form], object]
) -> Form:
    """Read to the end; the file's bytes go to `sink`. Raises InvalidRequest for a broken form.

    `before_file` sees the fields that came before the file, and may refuse them by an exception.
    """
    form = Form()
    part: Event | None = None
    text = b""
    decoder = MultipartDecoder(boundary.encode(), _BUFFER_BYTES, max_parts=_MOST_PARTS)
    while True:
        piece = stream.read(PIECE_BYTES)
        with TURN:
            for event in _events(decoder, piece):
                if isinstance(event, Field | File):
                    part, text = event, b""
                    if not isinstance(event.name, str):  # werkzeug takes a part without a name
                        raise InvalidRequest("A part of the form has no name: send the file again.")
                    if isinstance(event, File):
                        _begin(form, event)
                        before_file(form)
                elif isinstance(event, Data) and isinstance(part, File):
                    sink.write(event.data)
                elif isinstance(event, Data) and isinstance(part, Field):
                    text += event.data
                    _check_length(part.name, text)
                    form.fields[part.name] = text.decode(errors="replace")
                elif isinstance(event, Epilogue):
                    return form


def _begin(form: Form, part: File) -> None:
    if part.name != "file" or form.filename is not None:
        raise InvalidRequest("Send one file for each job, in the form's field `file`.")
    form.filename = part.filename


def _check_length(name: str, text: bytes) -> None:
    if len(text) > _LONGEST_FIELD_BYTES:
        raise InvalidRequest(f"The form's field {str(name)[:40]!r} is too long.")


def _events(decoder: MultipartDecoder, piece: bytes) -> Iterator[Event]:
    try:
        decoder.receive_data(piece or None)
        while not isinstance(event := decoder.next_event(), NeedData):
            yield event
            if isinstance(event, Epilogue):
                return
    except ValueError as error:
        raise InvalidRequest("The form is broken or cut off: send the file again.") from error
