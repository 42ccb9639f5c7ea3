"""Presets of a job's parameters."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import presets
from tests.web.conftest import BuildApp


def test_a_preset_is_saved_replaced_and_deleted(client: FlaskClient) -> None:
    url = "/api/presets/Überwachung / Tor 2"
    saved = client.put(url, json={"capture_fps": "1/2", "priority": "3"})
    assert saved.get_json() == {
        "name": "Überwachung / Tor 2",
        "fields": {"capture_fps": "1/2", "priority": "3"},
    }
    client.put(url, json={"capture_fps": "1"})
    listed = {"presets": [{"name": "Überwachung / Tor 2", "fields": {"capture_fps": "1"}}]}
    assert client.get("/api/presets").get_json() == listed
    assert client.delete(url).status_code == 204
    assert client.delete(url).status_code == 404
    assert client.delete("/api/presets/a%00b").status_code == 404
    assert client.get("/api/presets").get_json() == {"presets": []}


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("a", {"frame_stride": "many"}, "Frame stride"),
        ("a", {"frame_stride": 2}, "all texts"),
        ("a", {"filename": "x"}, "leave `filename` out"),
        ("a", [], "all texts"),
        ("x" * 61, {}, "up to 60 characters"),
        (" a", {}, "up to 60 characters"),
        ("a\u202eb", {}, "up to 60 characters"),
    ],
)
def test_a_wrong_preset_is_refused(client: FlaskClient, name: str, fields: Any, words: str) -> None:
    answer = client.put(f"/api/presets/{name}", json=fields)
    assert (answer.status_code, answer.get_json()["error"]["kind"]) == (400, "invalid")
    assert words in answer.get_json()["error"]["message"]


def test_presets_have_an_end(build_app: BuildApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "MOST_PRESETS", 1)
    client = build_app().test_client()
    assert client.put("/api/presets/a", json={}).status_code == 200
    assert client.put("/api/presets/a", json={}).status_code == 200
    assert client.put("/api/presets/b", json={}).status_code == 409


def test_a_long_prompt_fits_into_a_preset(build_app: BuildApp) -> None:
    client = build_app(commentator="minicpm").test_client()
    wish = {"system_prompt": "犬" * 2000, "instruction": "🐕" * 500}
    assert client.put("/api/presets/a", json=wish).get_json()["fields"] == wish
