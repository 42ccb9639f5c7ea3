"""The JSON export keeps to the schema that we publish, and the schema to what we write."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, is_typeddict

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from tests.exports.documents import document, exported, hostile_document, segment, summary
from web.shapes import (
    ChapterRecord,
    FailureRecord,
    JobRecord,
    NetworkRecord,
    SegmentRecord,
    SummaryRecord,
    TimingsRecord,
    UtteranceRecord,
    VideoRecord,
)

ADDRESS = "/api/schemas/reelnotes-1.json"


@pytest.fixture
def schema(client: FlaskClient) -> dict[str, Any]:
    answer = client.get(ADDRESS)
    assert (answer.status_code, answer.mimetype) == (200, "application/schema+json")
    schema: dict[str, Any] = answer.get_json(force=True)
    Draft202012Validator.check_schema(schema)
    return schema


def test_hostile_and_unfinished_exports_are_valid(schema: dict[str, Any]) -> None:
    validator = Draft202012Validator(schema)
    unfinished = document([segment(0, 0, 4000, kind="empty", reason="Cut off.")], state="running")
    unfinished.job["failure"] = FailureRecord(kind="x", message="y", window=None, start_ms=None)
    told = replace(document([]), summary=summary((0, 4000, "x"), (4000, 15_040, "y")))
    for whole in (hostile_document(), unfinished, document([]), told):
        validator.validate(json.loads(exported("json", whole)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("segments", 0, "kind"), "silent"),
        (("segments", 0, "start_ms"), 1.5),
        (("segments", 0, "text"), None),
        (("job", "state"), "lost"),
        (("job", "video", "sha256"), "x"),
        (("provenance", "text"), "mine"),
        (("format",), "reelnotes/2"),
    ],
)
def test_what_no_export_says_is_not_valid(
    schema: dict[str, Any], path: tuple[str | int, ...], value: object
) -> None:
    told: Any = json.loads(exported("json", document([segment(0, 0, 4000, "A dog.")])))
    place = told
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not Draft202012Validator(schema).is_valid(told)


def test_the_schema_names_every_field_that_we_write(schema: dict[str, Any]) -> None:
    job = schema["$defs"]["job"]
    for told, record, extra in (
        (job, JobRecord, {"video"}),
        (schema["$defs"]["video"], VideoRecord, set()),
        (schema["$defs"]["segment"], SegmentRecord, set()),
        (schema["$defs"]["summary"], SummaryRecord, set()),
        (schema["$defs"]["chapter"], ChapterRecord, set()),
        (schema["$defs"]["utterance"], UtteranceRecord, set()),
        (schema["$defs"]["segment"]["properties"]["timings"], TimingsRecord, set()),
        (job["properties"]["networks"]["items"], NetworkRecord, set()),
        (job["properties"]["failure"]["oneOf"][1], FailureRecord, set()),
    ):
        assert is_typeddict(record)
        assert set(told["properties"]) == set(record.__annotations__) | extra
        assert set(told["required"]) == set(told["properties"])


def test_another_program_finds_an_export_valid(tmp_path: Path, schema: dict[str, Any]) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    (tmp_path / "export.json").write_text(exported("json", hostile_document()), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--schemafile", "schema.json", "export.json"],
        cwd=tmp_path,
        check=True,
        timeout=120,
    )
