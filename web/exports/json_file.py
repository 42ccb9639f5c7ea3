"""JSON: everything that is known of a job, in the API's words, texts exactly as they are stored.

The file is written segment by segment, one to a line. A number that JSON can't hold (NaN or an
infinity among a commentator's facts) becomes null.
"""

import json
from typing import TextIO

from web.exports.document import Document
from web.exports.plain_text import encodable

FORMAT = "reelnotes/1"


def write_json(document: Document, out: TextIO) -> None:
    """Write one object: format, provenance, job with its video, summary with its chapters, and the list of segments."""
    provenance = {
        "version": document.version,
        "exported_ms": document.exported_ms,
        "text": document.choice.text,
        "cues": document.choice.cues,
    }
    job = {**document.job, "video": document.video}
    out.write(f'{{\n"format": {_json(FORMAT)},\n"provenance": {_json(provenance)},\n')
    out.write(f'"job": {_json(job)},\n"summary": {_json(document.summary)},\n')
    out.write(f'"speech": {_json(list(document.speech))},\n"segments": [')
    separator = "\n"
    for segment in document.segments:
        out.write(separator + _json(segment))
        separator = ",\n"
    out.write("\n]\n}\n")


def _json(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
        text = json.dumps(finite, ensure_ascii=False)
    return encodable(text)
