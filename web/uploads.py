"""How a file arrives in one request: streamed into the media folder, as a form or as the bare body.

What is asked for beside the file is read here for every way in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Request

from models.errors import DiskFull, InvalidRequest, TooLarge
from models.jobs import check_priority
from models.media import Media
from models.parameters import PARAMETER_FIELDS, Parameters, parse_parameters
from models.scratch import Incoming
from settings import Settings
from web import meters
from web.filenames import clean_filename
from web.multipart import PIECE_BYTES, TURN, Form, read_form

FORM_BYTES = 2**20  # what a form may hold beside the file
SPARE_BYTES = 2**28  # left free on the disk for the store and the stills

_WISHES = {*PARAMETER_FIELDS, "priority", "filename"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for beside the file itself."""

    filename: str
    parameters: Parameters
    priority: int

    @property
    def fingerprint(self) -> str:
        """Return a text that two wishes share only if they are the same."""
        return json.dumps([self.filename, self.parameters.to_json(), self.priority])


def check_size(announced_bytes: int, limit_bytes: int) -> None:
    """Raise TooLarge for a file that is announced larger than the limit."""
    if announced_bytes > limit_bytes:
        raise TooLarge(
            f"The file is {announced_bytes / 2**30:.3g} GiB; this server accepts up to "
            f"{limit_bytes / 2**30:.3g} GiB (setting MAX_UPLOAD_BYTES)."
        )


def check_room(expected_bytes: int, media: Media) -> None:
    """Raise DiskFull, before a byte is read, if the disk has no room for so much more."""
    free = media.scratch.free_bytes()
    if expected_bytes + SPARE_BYTES > free:
        raise DiskFull(
            f"The server's disk has {free / 2**30:.3g} GiB left, too little for this file: "
            "delete old jobs, or make room on the disk."
        )


def receive(request: Request, incoming: Incoming, defaults: Settings) -> Wish:
    """Read the request's body to its end into `incoming`. Raises InvalidRequest and TooLarge."""
    try:
        return _receive(request, incoming, defaults)
    finally:
        meters.whole_upload_came(incoming.size)


def _receive(request: Request, incoming: Incoming, defaults: Settings) -> Wish:
    # Flask's own limit is for requests without a file; None would mean that one, not none.
    request.max_content_length = incoming.limit_bytes + FORM_BYTES
    if request.mimetype == "multipart/form-data":
        boundary = request.mimetype_params.get("boundary", "")

        def wish_of(form: Form) -> Wish:
            given = {**request.args, **form.fields}
            return parse_wish(
                {**given, "filename": given.get("filename") or form.filename or ""}, defaults
            )

        # What is wrong with a form is told before a large file has come in vain.
        form = read_form(request.stream, boundary, incoming, before_file=wish_of)
        if form.filename is None:
            raise InvalidRequest("No file came: send it in the form's field `file`.")
        return wish_of(form)
    wish = parse_wish(request.args, defaults)
    while piece := request.stream.read(PIECE_BYTES):
        with TURN:
            incoming.write(piece)
    if incoming.size != (request.content_length or incoming.size):
        raise InvalidRequest("The upload broke off: send the file again.")
    return wish


def parse_wish(given: Mapping[str, str], defaults: Settings) -> Wish:
    """Read the fields of an upload, by the names in docs/api.md. Raises InvalidRequest."""
    unknown = sorted(set(given) - _WISHES)
    if unknown:
        raise InvalidRequest(
            f"There is no parameter called {unknown[0][:40]!r}; these are: {', '.join(sorted(_WISHES))}."
        )
    return Wish(
        filename=clean_filename(given.get("filename", "")),
        parameters=parse_parameters(given, defaults),
        priority=_priority(given.get("priority", "")),
    )


def _priority(text: str) -> int:
    try:
        priority = int(text or "0")
    except ValueError:
        raise InvalidRequest(f"Priority must be a whole number, not {text[:40]!r}.") from None
    check_priority(priority)
    return priority
