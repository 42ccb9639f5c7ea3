"""Sends a stored file, or the part of it that was asked for, wherever it is stored."""

import unicodedata
from urllib.parse import quote

from flask import Response, request
from werkzeug.wsgi import FileWrapper, wrap_file

from models.storage import Content

_PIECE_BYTES = 2**16


def send_stored(
    content: Content,
    mimetype: str,
    download_name: str | None = None,
    inline: bool = False,
    longest_range: int | None = None,
) -> Response:
    """Answer with the file, 206 with a range of it, 304 or 416; it is closed with the answer.

    `download_name`: browsers save it as that, `inline`: only if asked to. `longest_range`: a single
    range is cut to so many bytes.
    """
    if longest_range is not None:
        _shorten_range(content.size, longest_range)
    # The server's own wrapper can send a whole file fast, and can't begin anywhere but at its start.
    body = (
        FileWrapper(content.file, _PIECE_BYTES)
        if request.range
        else wrap_file(request.environ, content.file, _PIECE_BYTES)
    )
    answer = Response(body, mimetype=mimetype, direct_passthrough=True)
    answer.content_length = content.size
    answer.last_modified = content.modified
    answer.set_etag(content.etag)
    if download_name is not None:
        _name(answer, "inline" if inline else "attachment", download_name)
    try:
        answer.make_conditional(request, accept_ranges=True, complete_length=content.size)
    except BaseException:  # nobody else would close the file, whatever ended it
        content.file.close()
        raise
    if answer.status_code == 304 or request.method == "HEAD":  # whose body nobody reads, nor closes
        content.file.close()
    return answer


def _name(answer: Response, disposition: str, name: str) -> None:
    """Say the name in ASCII, and beside it as it is (RFC 6266)."""
    simple = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    full = {} if simple == name else {"filename*": f"UTF-8''{quote(name, safe='')}"}
    answer.headers.set("Content-Disposition", disposition, filename=simple, **full)


def _shorten_range(size_bytes: int, longest: int) -> None:
    """Let a request for one long range ask for its beginning."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return
    span = asked.range_for_length(size_bytes)
    if span is not None:
        start, stop = span
        request.environ["HTTP_RANGE"] = f"bytes={start}-{min(stop, start + longest) - 1}"
