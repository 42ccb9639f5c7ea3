"""Turns every error into one page, or one JSON shape: {"error": {"kind": ..., "message": ...}}.

Beside the kinds of models/errors.py the web has six of its own: sign-in, forbidden, too-many,
tus-version, checksum and method.
"""

from enum import IntEnum
from http import HTTPStatus
from math import ceil
from typing import Any

from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from models.errors import (
    AppError,
    BadFile,
    Conflict,
    DiskFull,
    Expired,
    FetchFailed,
    InvalidRequest,
    KeyReused,
    MediaAway,
    NotFound,
    NoVideo,
    OutOfMemory,
    RequestRefused,
    StoreBusy,
    TimedOut,
    TooLarge,
    UnderWay,
    Unsupported,
)
from web import meters


class SignInNeeded(RequestRefused):
    kind = "sign-in"


class Forbidden(RequestRefused):
    kind = "forbidden"


class TooMany(RequestRefused):
    kind = "too-many"

    def __init__(self, message: str, retry_after_s: float = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class WrongVersion(RequestRefused):
    kind = "tus-version"


class ChecksumMismatch(RequestRefused):
    kind = "checksum"


class TusStatus(IntEnum):
    """What HTTP has no name for and the tus protocol has."""

    CHECKSUM_MISMATCH = 460

    @property
    def phrase(self) -> str:
        return self.name.replace("_", " ").capitalize()


STATUSES: dict[type[AppError], HTTPStatus | TusStatus] = {
    BadFile: HTTPStatus.UNPROCESSABLE_ENTITY,
    NoVideo: HTTPStatus.UNPROCESSABLE_ENTITY,
    OutOfMemory: HTTPStatus.UNPROCESSABLE_ENTITY,
    TimedOut: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    Expired: HTTPStatus.GONE,
    Conflict: HTTPStatus.CONFLICT,
    UnderWay: HTTPStatus.CONFLICT,
    FetchFailed: HTTPStatus.BAD_GATEWAY,
    KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    DiskFull: HTTPStatus.INSUFFICIENT_STORAGE,
    StoreBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    MediaAway: HTTPStatus.SERVICE_UNAVAILABLE,
    SignInNeeded: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    WrongVersion: HTTPStatus.PRECONDITION_FAILED,
    ChecksumMismatch: TusStatus.CHECKSUM_MISMATCH,
}
"""The answer to each error; any other is our fault: 500."""

_KINDS = {
    HTTPStatus.NOT_FOUND: NotFound.kind,
    HTTPStatus.METHOD_NOT_ALLOWED: "method",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge.kind,
}
_SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address doesn't take {method} requests.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is larger than this address accepts.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong in Reelnotes itself; the web server's log tells "
    "more. Nothing that was stored is lost.",
}


def install(app: Flask) -> None:
    app.register_error_handler(AppError, _answer_app_error)
    app.register_error_handler(HTTPException, _answer_http_error)


def _answer_app_error(error: AppError) -> Response:
    meters.request_refused(error.kind)
    answer = _answer(_status(error), error.kind, str(error))
    if isinstance(error, TooMany | UnderWay):
        answer.headers["Retry-After"] = str(ceil(error.retry_after_s))
    return answer


def _status(error: AppError) -> HTTPStatus | TusStatus:
    known = (STATUSES[ancestor] for ancestor in type(error).__mro__ if ancestor in STATUSES)
    return next(known, HTTPStatus.INTERNAL_SERVER_ERROR)


def _answer_http_error(error: HTTPException) -> Response:
    """Keep redirects and ready-made responses as they are."""
    if error.response is not None or error.code is None or error.code < 400:
        return make_response(error.get_response())
    status = HTTPStatus(error.code)
    fallback = "internal" if status >= 500 else InvalidRequest.kind
    sentence = _SENTENCES.get(status, error.description or status.phrase)
    answer = _answer(status, _KINDS.get(status, fallback), sentence.format(method=request.method))
    answer.headers.extend(
        [pair for pair in error.get_headers() if pair[0] not in ("Content-Type", "Content-Length")]
    )
    return answer


def _answer(status: HTTPStatus | TusStatus, kind: str, message: str) -> Response:
    content: Any = jsonify(error={"kind": kind, "message": message})
    if wants_page():
        content = render_template("error.html", status=status, kind=kind, message=message)
    answer = make_response(content, status)
    if status is HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def wants_page() -> bool:
    """Tell whether a person waits for this answer, not a program."""
    if request.path.startswith(("/api/", "/media/")):
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
