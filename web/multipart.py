"""Reads a form with one file in it, handing the file on piece by piece instead of keeping it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Protocol

from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from models.errors import InvalidRequest

PIECE_BYTES = 2**18
_BUFFER_BYTES = 2**20  # a piece, and what is left of the one before
_MOST_PARTS = 40
_LONGEST_FIELD_BYTES = 2**12


class Sink(Protocol):
    def write(self, data: bytes) -> int: ...


@dataclass(slots=True)
class Form:
    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None  # None: no file came


def read_form(stream: IO[bytes], boundary: str, sink: Sink) -> Form:
    """Read to the end; the file's bytes go to `sink`. Raises InvalidRequest for a broken form."""
    form = Form()
    part: Event | None = None
    text = b""
    for event in _events(stream, boundary):
        if isinstance(event, Field | File):
            part, text = event, b""
            _begin(form, event)
        elif isinstance(event, Data) and isinstance(part, File):
            sink.write(event.data)
        elif isinstance(event, Data) and isinstance(part, Field):
            text += event.data
            _check_length(part.name, text)
            form.fields[part.name] = text.decode(errors="replace")
    return form


def _begin(form: Form, part: Field | File) -> None:
    if isinstance(part, Field):
        return
    if part.name != "file" or form.filename is not None:
        raise InvalidRequest("Send one file for each job, in the form's field `file`.")
    form.filename = part.filename


def _check_length(name: str, text: bytes) -> None:
    if len(text) > _LONGEST_FIELD_BYTES:
        raise InvalidRequest(f"The form's field {str(name)[:40]!r} is too long.")


def _events(stream: IO[bytes], boundary: str) -> Iterator[Event]:
    decoder = MultipartDecoder(boundary.encode(), _BUFFER_BYTES, max_parts=_MOST_PARTS)
    try:
        while True:
            piece = stream.read(PIECE_BYTES)
            decoder.receive_data(piece or None)
            while not isinstance(event := decoder.next_event(), NeedData):
                yield event
                if isinstance(event, Epilogue):
                    return
    except ValueError as error:
        raise InvalidRequest("The form is broken or cut off: send the file again.") from error
