"""How a file arrives: streamed once into the media folder, as a form or as the bare body."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields

from flask import Request

from models.errors import DiskFull, InvalidRequest, TooLarge
from models.media import Incoming, Media
from models.parameters import Parameters, parse_parameters
from settings import Settings
from web.filenames import clean_filename
from web.multipart import PIECE_BYTES, read_form

FORM_BYTES = 2**20  # what a form may hold beside the file
SPARE_BYTES = 2**28  # left free on the disk for the store and the stills

_WISHES = {field.name for field in fields(Parameters)} | {"priority", "filename"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for beside the file itself."""

    filename: str
    parameters: Parameters
    priority: int


def check_room(request: Request, media: Media, limit_bytes: int) -> None:
    """Refuse an upload that is announced too large, before a byte is read: TooLarge or DiskFull."""
    announced = request.content_length or 0
    if announced > limit_bytes + FORM_BYTES:
        raise TooLarge(
            f"The file is {announced / 2**30:.3g} GiB; this server accepts up to "
            f"{limit_bytes / 2**30:.3g} GiB (setting MAX_UPLOAD_BYTES)."
        )
    media.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(media.root).free
    if announced + SPARE_BYTES > free:
        raise DiskFull(
            f"The server's disk has {free / 2**30:.3g} GiB left, too little for this file: "
            "delete old jobs, or make room on the disk."
        )


def receive(request: Request, incoming: Incoming, defaults: Settings) -> Wish:
    """Read the request's body to its end into `incoming`. Raises InvalidRequest and TooLarge."""
    # Flask's own limit is for requests without a file; None would mean that one, not none.
    request.max_content_length = incoming.limit_bytes + FORM_BYTES
    if request.mimetype == "multipart/form-data":
        boundary = request.mimetype_params.get("boundary", "")
        form = read_form(request.stream, boundary, incoming)
        if form.filename is None:
            raise InvalidRequest("No file came: send it in the form's field `file`.")
        return _wish({**request.args, **form.fields}, form.filename, defaults)
    wish = _wish(request.args, request.args.get("filename", ""), defaults)
    while piece := request.stream.read(PIECE_BYTES):
        incoming.write(piece)
    if incoming.size != (request.content_length or incoming.size):
        raise InvalidRequest("The upload broke off: send the file again.")
    return wish


def _wish(given: Mapping[str, str], filename: str, defaults: Settings) -> Wish:
    unknown = sorted(set(given) - _WISHES)
    if unknown:
        raise InvalidRequest(
            f"There is no parameter called {unknown[0][:40]!r}; these are: {', '.join(sorted(_WISHES))}."
        )
    return Wish(
        filename=clean_filename(filename),
        parameters=parse_parameters(given, defaults),
        priority=_priority(given.get("priority", "")),
    )


def _priority(text: str) -> int:
    try:
        return int(text or "0")
    except ValueError:
        raise InvalidRequest(f"Priority must be a whole number, not {text[:40]!r}.") from None
