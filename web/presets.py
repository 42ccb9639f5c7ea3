"""Presets over HTTP: a job's parameters under a name."""

from flask import Blueprint, Response, jsonify, request

from models import presets
from models.errors import InvalidRequest
from models.tables import Preset
from web.shapes import PresetListShape, PresetShape
from web.site import site
from web.uploads import parse_wish

bp = Blueprint("presets", __name__, url_prefix="/api/presets")


@bp.get("")
def index() -> Response:
    """List the presets: names, each with the fields of a form that it stands for."""
    with site().store.read() as session:
        rows = presets.list_presets(session)
    return jsonify(PresetListShape(presets=[_shape(row) for row in rows]))


@bp.put("/<path:name>")
def save(name: str) -> Response:
    """Store what is sent under a name; it is judged as an upload's fields are."""
    fields = request.get_json()
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise InvalidRequest(
            'Send an object of the upload\'s fields, all texts: {"capture_fps": "1"}.'
        )
    if "filename" in fields:
        raise InvalidRequest("A preset is for any file: leave `filename` out.")
    parse_wish(fields, site().settings)
    with site().store.write() as session:
        preset = presets.save_preset(session, name, fields)
    return jsonify(_shape(preset))


@bp.delete("/<path:name>")
def remove(name: str) -> tuple[str, int]:
    """Delete a preset; jobs that were made with it keep their parameters."""
    with site().store.write() as session:
        presets.delete_preset(session, name)
    return "", 204


def _shape(preset: Preset) -> PresetShape:
    return PresetShape(name=preset.name, fields=preset.fields)
