"""Uploads that survive: the tus protocol 1.0.0 over HTTP. A whole upload is answered with its job.

POST /api/uploads          begin one; what is asked for is judged before a byte has come
HEAD /api/uploads/ID       how much is here
PATCH /api/uploads/ID      more of it; the last piece queues the job
DELETE /api/uploads/ID     give it up
GET                        the same as JSON, for pages
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import Blueprint, Response, g, jsonify, make_response, request, url_for
from werkzeug.exceptions import BadRequest, MethodNotAllowed

from models import uploads
from models.arriving import Arriving, going_on_at
from models.errors import Conflict, InvalidRequest, TooLarge, Unsupported
from models.idempotency import Answer
from models.ids import new_id
from models.paging import next_place
from models.tables import Upload
from web import meters, tus_headers
from web.errors import STATUSES, WrongVersion
from web.intake import finish_upload, refusal_of, remove_upload
from web.limits import count_upload, one_arriving
from web.multipart import PIECE_BYTES, TURN
from web.once import REPLAYED, once
from web.query import place, whole_number
from web.shapes import UploadListShape, UploadShape
from web.site import Site, site
from web.uploads import check_room, check_size, parse_wish

bp = Blueprint("tus", __name__, url_prefix="/api/uploads")

BROKE_OFF = "The connection broke off: ask how much came, and go on from there."
MOST_UPLOADS = 1000  # in a list
JOB_HEADER = "Reelnotes-Job"
SILENCE_S = 60.0  # a connection on which nothing comes for so long is given up


@bp.before_request
def check_version() -> None:
    if request.method not in ("GET", "OPTIONS"):
        tus_headers.check_version(request.headers)


@bp.after_request
def add_version(answer: Response) -> Response:
    answer.headers["Tus-Resumable"] = tus_headers.VERSION
    if answer.status_code == STATUSES[WrongVersion]:
        answer.headers["Tus-Version"] = tus_headers.VERSION
    return answer


@bp.route("", methods=["OPTIONS"])
@bp.route("/<id:upload_id>", methods=["OPTIONS"])
def options(upload_id: str = "") -> Response:
    """Tell what of the protocol is spoken here."""
    answer = make_response("", 204)
    answer.headers["Tus-Version"] = tus_headers.VERSION
    answer.headers["Tus-Extension"] = tus_headers.EXTENSIONS
    answer.headers["Tus-Max-Size"] = str(site().settings.max_upload_bytes)
    answer.headers["Tus-Checksum-Algorithm"] = ",".join(tus_headers.ALGORITHMS)
    return answer


@bp.post("")
def create() -> Response:
    """Begin an upload; its first piece may come along."""
    here = site()
    if "Upload-Defer-Length" in request.headers:
        raise InvalidRequest("Say how long the file is: send the header `Upload-Length`.")
    length = tus_headers.read_bytes(request.headers, "Upload-Length")
    check_size(length, here.settings.max_upload_bytes)
    metadata_text = request.headers.get("Upload-Metadata", "")
    wish = parse_wish(tus_headers.read_metadata(metadata_text), here.settings)
    check_room(length, here.media)
    with once(wish.fingerprint, str(length)) as deed:
        if deed.before is not None:
            return _begun_before(here, deed.before)
        count_upload()
        upload_id = new_id()
        here.media.storage.arrivals.begin(upload_id, length)
        with here.store.write() as session:
            upload = uploads.begin_upload(
                session,
                upload_id,
                owner=g.visitor,
                length_bytes=length,
                metadata_text=metadata_text,
                filename=wish.filename,
                parameters=wish.parameters,
                priority=wish.priority,
                hours=here.settings.upload_hours,
            )
            location = url_for(".show", upload_id=upload.id)
            deed.keep(session, upload.id, 201, location)
    answer = make_response("", 201)
    answer.headers["Location"] = location
    if request.mimetype == tus_headers.BODY_TYPE or length == 0:
        return _take_on(here, upload, 0, answer)
    answer.headers["Upload-Expires"] = tus_headers.http_date(upload.until_ms)
    return answer


def _begun_before(here: Site, before: Answer) -> Response:
    """Tell where the upload is that was begun under this key, and how much of it is here."""
    upload = _get(here, json.loads(before.body))
    answer = make_response("", 201)
    answer.headers["Location"] = before.location
    answer.headers["Upload-Offset"] = str(_offset(here, upload))
    answer.headers[REPLAYED] = "true"
    return _describe(answer, upload)


@bp.route("/<id:upload_id>", methods=["PATCH"])
def append(upload_id: str) -> Response:
    """Take the next piece. Also the way to ask again for the job of an upload that is whole."""
    if request.mimetype != tus_headers.BODY_TYPE:
        raise Unsupported(f"A piece is sent as `Content-Type: {tus_headers.BODY_TYPE}`.")
    here = site()
    upload = _get(here, upload_id)
    offset = tus_headers.read_bytes(request.headers, "Upload-Offset")
    return _take_on(here, upload, offset, make_response("", 204))


@bp.route("/<id:upload_id>", methods=["HEAD"])
def head(upload_id: str) -> Response:
    """Tell how much is here."""
    here = site()
    upload = _get(here, upload_id)
    answer = make_response("")
    answer.headers["Upload-Length"] = str(upload.length_bytes)
    answer.headers["Upload-Offset"] = str(_offset(here, upload))
    if upload.metadata_text:
        answer.headers["Upload-Metadata"] = upload.metadata_text
    return _describe(answer, upload)


@bp.delete("/<id:upload_id>")
def remove(upload_id: str) -> Response:
    """Give the upload up. A job that it has become stays."""
    here = site()
    remove_upload(here, _get(here, upload_id).id)
    return make_response("", 204)


@bp.post("/<id:upload_id>")
def override(upload_id: str) -> Response:
    """Do as `X-HTTP-Method-Override` says, for clients that can send nothing but POST."""
    wish = request.headers.get("X-HTTP-Method-Override", "").upper()
    steps = {"PATCH": append, "HEAD": head, "DELETE": remove}
    if wish not in steps:
        raise MethodNotAllowed(["GET", *steps])
    return steps[wish](upload_id)


@bp.get("")
def index() -> Response:
    """List your uploads that haven't become jobs."""
    here = site()
    limit = whole_number("limit", MOST_UPLOADS, 1, MOST_UPLOADS)
    before = place()
    with here.store.read() as session:
        rows = uploads.list_uploads(session, g.visitor, limit=limit + 1, before=before)
    answer = UploadListShape(
        uploads=[_shape(here, row) for row in rows[:limit]],
        next=next_place(rows, limit),
    )
    return jsonify(answer)


@bp.get("/<id:upload_id>")
def show(upload_id: str) -> Response:
    """Tell how far an upload is, which job it has become, or why it was refused."""
    here = site()
    return jsonify(_shape(here, _get(here, upload_id)))


def _get(here: Site, upload_id: str) -> Upload:
    with here.store.read() as session:
        return uploads.get_upload(session, upload_id, g.visitor)


def _take_on(here: Site, upload: Upload, offset: int, answer: Response) -> Response:
    """Take the request's body into the upload at `offset`; fill the answer in, with the job at the end."""
    if not upload.is_settled:
        try:
            offset = _receive(here, upload, offset)
        finally:  # on a bad line no piece may ever come to its end
            with here.store.write() as session:
                upload.until_ms = uploads.put_off_end(
                    session, upload.id, here.settings.upload_hours
                )
    elif offset != upload.length_bytes or request.content_length:
        raise Conflict("This upload is whole: nothing can be added to it.")
    if offset == upload.length_bytes:
        upload = finish_upload(here, upload.id)
    if upload.failure_kind is not None:
        raise refusal_of(upload)
    answer.headers["Upload-Offset"] = str(offset)
    return _describe(answer, upload)


def _receive(here: Site, upload: Upload, offset: int) -> int:
    """Append the request's body; return the offset after it. Raises as Arriving.append().

    What came of a body that breaks off stays, unless it is checked as a whole.
    """
    rest = upload.length_bytes - offset
    if (request.content_length or 0) > rest:
        raise TooLarge(f"The upload lacks {max(rest, 0)} bytes, and more are sent.")
    arrivals = here.media.storage.arrivals
    if rest == 0 and arrivals.size(upload.id, offset) == offset:  # a killed process has all of it
        return offset
    # One more than may come: Flask refuses to read on at the limit, even to find the end.
    request.max_content_length = rest + 1
    checksum = request.headers.get("Upload-Checksum")
    with one_arriving(), arrivals.opened(upload.id, upload.length_bytes) as file:
        _check_offset(file, offset)
        if rest:
            check_room(rest, here.media)
        if checksum is None:
            for piece in _pieces():
                with TURN:
                    offset = file.append(offset, piece)
                file.hand_on()
            return offset
        return _receive_checked(here, tus_headers.read_checksum(checksum), file, offset, rest)


def _receive_checked(
    here: Site, checksum: tus_headers.Checksum, file: Arriving, offset: int, most_bytes: int
) -> int:
    """Keep the body aside until its checksum is right: a kill must leave no byte that isn't."""
    body = hashlib.new(checksum.algorithm, usedforsecurity=False)
    with here.media.scratch.receive(most_bytes) as aside:
        for piece in _pieces():
            with TURN:
                body.update(piece)
                aside.write(piece)
        checksum.check(body)
        with aside.path.open("rb") as checked:
            while piece := checked.read(PIECE_BYTES):
                offset = file.append(offset, piece)
                file.hand_on()
    return offset


def _check_offset(file: Arriving, offset: int) -> None:
    """Refuse a body before it is read; each piece is checked again under the lock."""
    if file.offset != offset:
        raise going_on_at(file.offset, offset)


def _pieces() -> Iterator[bytes]:
    """Yield the request's body as it comes. Raises InvalidRequest when it breaks off."""
    came = 0
    with _patience():
        while True:
            try:
                piece = request.stream.read(PIECE_BYTES)
            except (OSError, BadRequest) as error:
                raise InvalidRequest(BROKE_OFF) from error
            if not piece:
                break
            came += len(piece)
            meters.piece_came(len(piece))
            yield piece
    if came < (request.content_length or 0):
        raise InvalidRequest(BROKE_OFF)


@contextmanager
def _patience() -> Iterator[None]:
    """Let no connection that died in silence hold a thread of the server for ever."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None:  # the tests' client has none
        yield
        return
    before = connection.gettimeout()
    connection.settimeout(SILENCE_S)
    try:
        yield
    finally:
        with suppress(OSError):
            connection.settimeout(before)


def _offset(here: Site, upload: Upload) -> int:
    if upload.is_settled:
        return upload.length_bytes
    return here.media.storage.arrivals.size(upload.id, upload.length_bytes)


def _describe(answer: Response, upload: Upload) -> Response:
    if upload.job_id is not None:
        answer.headers[JOB_HEADER] = upload.job_id
    elif not upload.is_settled:
        answer.headers["Upload-Expires"] = tus_headers.http_date(upload.until_ms)
    return answer


def _shape(here: Site, upload: Upload) -> UploadShape:
    failure = refusal_of(upload) if upload.failure_kind is not None else None
    return UploadShape(
        id=upload.id,
        filename=upload.filename,
        size_bytes=upload.length_bytes,
        offset_bytes=_offset(here, upload),
        job=upload.job_id,
        failure=None if failure is None else {"kind": failure.kind, "message": str(failure)},
        parameters=upload.parameters,
        priority=upload.priority,
        created_ms=upload.created_ms,
        expires_ms=None if upload.is_settled else upload.until_ms,
    )
