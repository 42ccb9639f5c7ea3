"""The API's exports: files that are written at once, and those that take time to render."""

import os
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from flask import Blueprint, Response, jsonify, request, send_file, url_for

from models import jobs
from models.errors import InvalidRequest, NotFound
from web.documents import open_document, tag_of, written
from web.exports import (
    COMMENTS,
    CUES,
    GROUPS,
    TEXTS,
    WRITERS,
    Choice,
    Document,
    download_stem,
)
from web.renders import DEFAULT_VOICE, RENDERINGS, Order, place_order
from web.sending import send_stored
from web.shapes import ExportsShape, FormatShape, RenderShape, VoiceShape
from web.site import Site, site

bp = Blueprint("exporting", __name__, url_prefix="/api")

_SCHEMA = Path(__file__).parent / "exports" / "reelnotes-1.schema.json"


@bp.get("/exports")
def offer() -> Response:
    """Tell which files a job's commentary can be saved as, and what can be chosen."""
    voices, missing = site().voices.offer()
    return jsonify(
        ExportsShape(
            formats=formats(),
            texts=list(TEXTS),
            cues=list(CUES),
            voices=[VoiceShape(language=code, name=name) for code, name in voices.items()],
            default_voice=DEFAULT_VOICE,
            no_speech=missing,
        )
    )


def formats() -> list[FormatShape]:
    """Return all formats, in order of their groups."""
    written = [
        FormatShape(
            name=name,
            title=writer.title,
            group=writer.group,
            purpose=writer.purpose,
            tells=writer.tells,
            rendered=False,
            speaks=False,
            choices=["text", "cues"],
        )
        for name, writer in WRITERS.items()
    ]
    rendered = [
        FormatShape(
            name=name,
            title=rendering.title,
            group=GROUPS[-1],
            purpose=rendering.purpose,
            tells=COMMENTS,
            rendered=True,
            speaks=rendering.speaks,
            choices=["text", *rendering.choices],
        )
        for name, rendering in RENDERINGS.items()
    ]
    return [*written, *rendered]


@bp.get("/schemas/reelnotes-1.json")
def schema() -> Response:
    """Send the JSON Schema of the JSON export."""
    return send_file(_SCHEMA, mimetype="application/schema+json")


@bp.get("/jobs/<id:job_id>/export.<export_format>")
def export(job_id: str, export_format: str) -> Response:
    """Send what was said so far, or 404 of chapters and speech that a job doesn't have; `inline=1` is for players."""
    if export_format in RENDERINGS:
        return _send_render(job_id, export_format)
    writer = WRITERS.get(export_format)
    if writer is None:
        raise NotFound(
            f"There is no export as {export_format[:20]!r}; choose "
            f"{', '.join((*WRITERS, *RENDERINGS))}."
        )
    choice = Choice.parse(request.args)
    tag = tag_of(site(), job_id, choice, export_format)
    if request.if_none_match.contains_weak(tag):
        answer = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        document = open_document(site(), job_id, choice)
        answer = _send(written(document, writer), writer.mime_type, document, writer.extension)
    answer.set_etag(tag, weak=True)  # weak: JSON says when it was exported
    return answer


def _send_render(job_id: str, export_format: str) -> Response:
    order, document = _order(site(), job_id, export_format)
    storage, name = site().media.storage, site().renders.file(order)
    rendering = RENDERINGS[export_format]
    try:
        storage.note_use(name)
        content = storage.open(name)
    except FileNotFoundError as error:
        raise NotFound(
            "This file isn't there (any more), or the commentary has changed since it was made. Have "
            f"it rendered: POST {url_for('.want', job_id=job_id, export_format=export_format)}."
        ) from error
    answer = send_stored(
        content,
        rendering.mime_type,
        download_name=download_stem(document.job["filename"]) + rendering.extension,
        inline=bool(request.args.get("inline")),
    )
    answer.cache_control.no_store = True
    return answer


def _send(file: BinaryIO, mime_type: str, document: Document, extension: str) -> Response:
    answer = send_file(
        file,
        mimetype=mime_type,
        as_attachment=not request.args.get("inline"),
        download_name=download_stem(document.job["filename"]) + extension,
        conditional=False,
    )
    # Told, for the server ends an empty body of unknown length twice: the second end would be taken for
    # the next answer.
    answer.content_length = file.seek(0, os.SEEK_END)
    file.seek(0)
    answer.cache_control.no_store = True
    return answer


@bp.get("/jobs/<id:job_id>/renders/<export_format>")
def show(job_id: str, export_format: str) -> Response:
    """Tell how far the rendering of a file is."""
    order, _ = _order(site(), job_id, export_format)
    return jsonify(_render_shape(order))


@bp.post("/jobs/<id:job_id>/renders/<export_format>")
def want(job_id: str, export_format: str) -> tuple[Response, int]:
    """Have a file rendered, unless it is there."""
    here = site()
    order, document = _order(here, job_id, export_format)
    if RENDERINGS[export_format].speaks:
        voices, missing = here.voices.offer()
        if missing:
            raise NotFound(missing)
        if order.request["voice"] not in voices:
            raise InvalidRequest(
                f"There is no voice for {order.request['voice'][:40]!r}: GET "
                f"{url_for('.offer')} lists those that are here."
            )
    here.renders.want(order, document.job["filename"])
    return jsonify(_render_shape(order)), 202


@bp.delete("/jobs/<id:job_id>/renders/<export_format>")
def forget(job_id: str, export_format: str) -> tuple[str, int]:
    """End the rendering of a file, or remove what was rendered."""
    order, _ = _order(site(), job_id, export_format)
    site().renders.forget(order)
    return "", 204


def _order(here: Site, job_id: str, export_format: str) -> tuple[Order, Document]:
    """Return what the address asks for, of the commentary as it is now. Raises NotFound, InvalidRequest."""
    rendering = RENDERINGS.get(export_format)
    if rendering is None:
        raise NotFound(
            f"{export_format[:20]!r} is not rendered; choose {', '.join(RENDERINGS)}. Other "
            "formats are exported at once."
        )
    unheeded = {"cues", "voice"} - {*rendering.choices}
    if wrong := [name for name in sorted(unheeded) if request.args.get(name)]:
        raise InvalidRequest(f"`{wrong[0]}` can't be chosen for {export_format}.")
    with here.store.read() as session:
        video = jobs.get_job(session, job_id).video
    document = open_document(here, job_id, Choice.parse(request.args))
    voice = request.args.get("voice") or DEFAULT_VOICE
    return place_order(document, video, export_format, voice), document


def _render_shape(order: Order) -> RenderShape:
    making = site().renders.tell(order)
    asked: dict[str, Any] = {
        name: request.args[name] for name in ("text", "cues", "voice") if request.args.get(name)
    }
    url = url_for(".export", job_id=order.job_id, export_format=order.format, **asked)
    return RenderShape(
        format=order.format,
        state=making.state,
        progress=making.progress,
        message=making.message,
        notes=list(making.notes),
        url=url if making.state == "ready" else None,
    )
