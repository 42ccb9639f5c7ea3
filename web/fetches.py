"""Fetches over HTTP: files that the server gets by itself, and the folder that it offers."""

from typing import Any

from flask import Blueprint, Response, g, jsonify, request, url_for

from models import fetches
from models.errors import AppError, InvalidRequest, NotFound
from models.ids import new_id
from models.paging import next_place
from models.tables import Fetch, FetchKind
from web.fetching.download import name_in
from web.fetching.folder import check_file, list_folder
from web.fetching.urls import parse_url
from web.fetching.watcher import watch_wish
from web.filenames import clean_filename
from web.intake import refusal_of, remove_upload
from web.limits import count_upload
from web.query import place, whole_number
from web.shapes import (
    EntryShape,
    FetchesBegunShape,
    FetchListShape,
    FetchRefusedShape,
    FetchShape,
    FolderShape,
    RefusalShape,
)
from web.site import Site, site
from web.uploads import Wish, parse_wish

bp = Blueprint("fetches", __name__, url_prefix="/api")

ENTRIES_A_PAGE = 500
MOST_ENTRIES = 5000
FETCHES_A_PAGE = 100
MOST_FETCHES = 1000
MOST_AT_ONCE = 200
_REQUEST_BYTES = 2**20

_WISH = (
    f'Send {{"paths": […]}} or {{"urls": […]}} with 1 to {MOST_AT_ONCE} texts, and if wanted "fields": '
    'the upload\'s, all of them texts, such as {"capture_fps": "1"}.'
)


@bp.get("/folder")
def show_folder() -> Response:
    """List what a folder of the server holds: videos and folders."""
    here = site()
    _check_offered(here, FetchKind.FOLDER)
    path = request.args.get("path", "")
    limit = whole_number("limit", ENTRIES_A_PAGE, 1, MOST_ENTRIES)
    found = list_folder(here.settings.server_folder, path, request.args.get("q", ""), limit)
    entries = [
        EntryShape(
            name=entry.name,
            path=entry.path,
            is_folder=entry.is_folder,
            size_bytes=entry.size_bytes,
            modified_ms=entry.modified_ms,
        )
        for entry in found.entries
    ]
    return jsonify(
        FolderShape(
            path=path,
            entries=entries,
            left=found.left,
            others=found.others,
            watched=here.settings.watch_seconds > 0,
            trouble=_watch_trouble(here),
        )
    )


def _watch_trouble(here: Site) -> str | None:
    try:
        if here.settings.watch_seconds:
            watch_wish(here)
    except InvalidRequest as trouble:
        return str(trouble)
    return None


@bp.post("/fetches")
def begin() -> tuple[Response, int]:
    """Begin to fetch files, each for itself: what can't be fetched doesn't stop the others."""
    here = site()
    request.max_content_length = _REQUEST_BYTES
    kind, addresses, wish = _read_wish(here)
    _check_offered(here, kind)
    begun: list[FetchShape] = []
    refused: list[FetchRefusedShape] = []
    for address in addresses:
        try:
            begun.append(_begin(here, kind, address, wish))
        except AppError as error:
            reason = RefusalShape(kind=error.kind, message=str(error))
            refused.append(FetchRefusedShape(address=address, error=reason))
    return jsonify(FetchesBegunShape(fetches=begun, refused=refused)), 202


def _read_wish(here: Site) -> tuple[FetchKind, list[str], Wish]:
    given: Any = request.get_json()
    if not isinstance(given, dict) or set(given) - {"fields"} not in ({"paths"}, {"urls"}):
        raise InvalidRequest(_WISH)
    kind = FetchKind.FOLDER if "paths" in given else FetchKind.URL
    addresses, fields = given["paths" if "paths" in given else "urls"], given.get("fields", {})
    if not isinstance(addresses, list) or not 1 <= len(addresses) <= MOST_AT_ONCE:
        raise InvalidRequest(_WISH)
    if not isinstance(fields, dict):
        raise InvalidRequest(_WISH)
    if not all(isinstance(text, str) for text in (*addresses, *fields.values())):
        raise InvalidRequest(_WISH)
    if "filename" in fields:
        raise InvalidRequest("A file that is fetched brings its name: leave `filename` out.")
    return kind, list(dict.fromkeys(addresses)), parse_wish(fields, here.settings)


def _check_offered(here: Site, kind: FetchKind) -> None:
    if kind is FetchKind.FOLDER and not here.settings.server_folder:
        raise NotFound("This server offers no folder (setting SERVER_FOLDER).")
    if kind is FetchKind.URL and not here.settings.fetch_urls:
        raise NotFound("This server fetches nothing by address (setting FETCH_URLS).")


def _begin(here: Site, kind: FetchKind, address: str, wish: Wish) -> FetchShape:
    if kind is FetchKind.URL:
        address = str(parse_url(address.strip()))
        filename = name_in(address)
    else:
        check_file(here.settings.server_folder, address)
        filename = address
    count_upload()
    fetch_id = new_id()
    here.media.storage.arrivals.begin(fetch_id, here.settings.max_upload_bytes)
    with here.store.write() as session:
        fetch = fetches.add_fetch(
            session,
            fetch_id,
            kind,
            address,
            owner=g.visitor,
            filename=clean_filename(filename),
            parameters=wish.parameters,
            priority=wish.priority,
            hours=here.settings.upload_hours,
        )
    return _shape(here, fetch)


@bp.get("/fetches")
def index() -> Response:
    """List your fetches without a job, and those of files that came into the folder."""
    here = site()
    limit = whole_number("limit", FETCHES_A_PAGE, 1, MOST_FETCHES)
    before = place()
    with here.store.read() as session:
        rows = fetches.list_fetches(session, g.visitor, limit=limit + 1, before=before)
    answer = FetchListShape(
        fetches=[_shape(here, row) for row in rows[:limit]],
        next=next_place([row.upload for row in rows], limit),
    )
    return jsonify(answer)


@bp.get("/fetches/<id:fetch_id>")
def show(fetch_id: str) -> Response:
    """Tell how far a fetch is, or why it was refused."""
    here = site()
    return jsonify(_shape(here, _get(here, fetch_id)))


@bp.post("/fetches/<id:fetch_id>/retry")
def retry(fetch_id: str) -> Response:
    """Try a refused fetch again."""
    here = site()
    with here.store.write() as session:
        fetch = fetches.get_fetch(session, fetch_id, g.visitor)
        fetches.try_again(session, fetch, here.settings.upload_hours)
    return jsonify(_shape(here, _get(here, fetch_id)))


@bp.delete("/fetches/<id:fetch_id>")
def remove(fetch_id: str) -> tuple[str, int]:
    """Give a fetch up, or forget that it was refused. A job that it has become stays."""
    here = site()
    remove_upload(here, _get(here, fetch_id).id)
    return "", 204


def _get(here: Site, fetch_id: str) -> Fetch:
    with here.store.read() as session:
        return fetches.get_fetch(session, fetch_id, g.visitor)


def _shape(here: Site, fetch: Fetch) -> FetchShape:
    upload = fetch.upload
    failure = None if upload.failure_kind is None else refusal_of(upload)
    offset = _arrived(here, fetch)
    return FetchShape(
        id=fetch.id,
        kind=fetch.kind.value,
        address=fetch.address.partition("?")[0] if fetch.kind is FetchKind.URL else fetch.address,
        watched=fetch.watched_key is not None,
        filename=upload.filename,
        state=_state(fetch, offset),
        size_bytes=None if upload.length_bytes < 0 else upload.length_bytes,
        offset_bytes=offset,
        trouble=fetch.trouble,
        job=upload.job_id,
        failure=None if failure is None else {"kind": failure.kind, "message": str(failure)},
        parameters=upload.parameters,
        priority=upload.priority,
        created_ms=upload.created_ms,
        links={"self": url_for("fetches.show", fetch_id=fetch.id)},
    )


def _state(fetch: Fetch, offset: int) -> str:
    if fetch.upload.job_id is not None:
        return "done"
    if fetch.upload.failure_kind is not None:
        return "refused"
    if not fetches.is_under_way(fetch):
        return "waiting"
    return "checking" if offset == fetch.upload.length_bytes else "fetching"


def _arrived(here: Site, fetch: Fetch) -> int:
    if fetch.upload.job_id is not None:
        return fetch.upload.length_bytes
    return here.media.storage.arrivals.size(fetch.id, fetch.upload.length_bytes)
