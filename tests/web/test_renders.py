"""Spoken tracks and previews: asked for, waited for, kept, cancelled, evicted; with real children."""

import io
import json
import time
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.clock import now_ms
from telemetry.registry import REGISTRY
from tests.packaging.processes import command_line
from tests.web.commenting import comment_windows
from tests.web.conftest import BuildApp, site_of
from tests.web.requests import upload
from web.renders import renders
from web.site import Site

PATIENCE_S = 60


@pytest.fixture
def job(client: FlaskClient, site: Site, known_clip: Path) -> dict[str, Any]:
    """Return a job of which something was said."""
    return commented(client, site, known_clip)


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, _migrated_file: Path) -> str:
    """Take one kind of store: no row of its own tells of a render."""
    (tmp_path / "reelnotes.db").write_bytes(_migrated_file.read_bytes())
    return f"sqlite:///{tmp_path / 'reelnotes.db'}"


def commented(client: FlaskClient, site: Site, clip: Path) -> dict[str, Any]:
    job = upload(client, clip, filename='a "dog".mp4', window_hop="4")
    comment_windows(site.store, site.media, job["id"], 9)
    return job


def made(client: FlaskClient, address: str) -> dict[str, Any]:
    answer = client.post(address)
    assert answer.status_code == 202, answer.text
    return ended(client, address)


def ended(client: FlaskClient, address: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        render: dict[str, Any] = client.get(address).get_json()
        if render["state"] not in ("waiting", "making"):
            return render
        time.sleep(0.1)
    raise AssertionError("it is not made")


def renders_done(kind: str) -> float:
    labels = {"format": kind, "outcome": "done"}
    return REGISTRY.get_sample_value("reelnotes_renders_total", labels) or 0


@pytest.mark.parametrize(
    ("kind", "mime_type", "codecs"),
    [
        ("mp4", "video/mp4", ["h264"]),
        ("m4a", "audio/mp4", ["aac"]),
        ("wav", "audio/wav", ["pcm_s16le"]),
    ],
)
def test_a_render_is_made_once_and_sent_in_ranges(
    client: FlaskClient, job: dict[str, Any], kind: str, mime_type: str, codecs: list[str]
) -> None:
    address = job["links"]["renders"][kind]
    assert client.get(address).get_json()["state"] == "none"
    assert client.get(f"/api/jobs/{job['id']}/export.{kind}").status_code == 404
    counted = renders_done(kind)
    render = made(client, address)
    assert (render["state"], render["progress"]) == ("ready", 1.0)
    waiting_for(lambda: renders_done(kind) == counted + 1)
    answer = client.get(render["url"])
    assert (answer.status_code, answer.mimetype) == (200, mime_type)
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert f".{kind}" in disposition
    with av.open(io.BytesIO(answer.data), "r") as file:
        assert [stream.codec_context.name for stream in file.streams] == codecs
        assert file.duration is not None
        assert file.duration / av.time_base == pytest.approx(6, abs=0.3)
    part = client.get(
        render["url"] + "?inline=1",
        headers={"Range": "bytes=4-7"},
    )
    assert (part.status_code, part.data) == (206, answer.data[4:8])
    assert part.headers["Content-Disposition"].startswith("inline")
    assert client.post(address).get_json() == render


def test_another_choice_or_another_text_is_another_file(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    address = job["links"]["renders"]["wav"]
    first = made(client, address)
    segment = client.get(job["links"]["segments"]).get_json()["segments"][0]
    corrected = client.put(
        f"/api/jobs/{job['id']}/segments/0/text",
        json={"text": "Something else entirely.", "revision": segment["revision"]},
    )
    assert corrected.status_code == 200
    assert client.get(address).get_json()["state"] == "none"
    assert client.get(first["url"]).status_code == 404
    original = client.get(f"{address}?text=original").get_json()
    assert original["state"] == "ready"
    old = client.get(original["url"])
    second = made(client, address)
    assert client.get(second["url"]).data != old.data
    assert client.get(f"{address}?voice=de").get_json()["state"] == "none"


def test_what_was_made_before_a_job_went_on_is_not_taken_for_the_whole(
    client: FlaskClient, site: Site, known_clip: Path
) -> None:
    job = upload(client, known_clip, window_hop="4")
    comment_windows(site.store, site.media, job["id"], 1)
    address = job["links"]["renders"]["wav"]
    early = made(client, address)
    begun = client.get(early["url"])
    assert begun.status_code == 200
    comment_windows(site.store, site.media, job["id"], 9)
    assert client.get(address).get_json()["state"] == "none"
    assert client.get(early["url"]).status_code == 404
    assert client.get(made(client, address)["url"]).data != begun.data


def test_what_waits_and_was_outdated_meanwhile_takes_no_place(
    client: FlaskClient,
    site: Site,
    other_clip: Path,
    known_clip: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(renders, "MOST_WAITING", 1)
    long = upload(client, other_clip)
    comment_windows(site.store, site.media, long["id"], 9)
    client.post(long["links"]["renders"]["mp4"])
    waiting_for(renderers)
    (child,) = renderers()
    child.suspend()
    try:
        running = upload(client, known_clip, window_hop="4")
        address = running["links"]["renders"]["wav"]
        for windows in (1, 9):
            comment_windows(site.store, site.media, running["id"], windows)
            assert client.post(address).status_code == 202
    finally:
        child.resume()
    assert ended(client, address)["state"] == "ready"
    folder = site.media.root / "renders" / running["id"]
    assert len(list(folder.glob("*.json"))) == 1  # nobody makes the first one


def test_exports_tell_corrected_or_original_texts_and_split_or_merged_cues(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    client.put(
        f"/api/jobs/{job['id']}/segments/0/text", json={"text": "Corrected words.", "revision": 0}
    )
    address = job["links"]["exports"]["json"]
    told = {
        query: json.loads(client.get(address + query).text)
        for query in ("", "?text=original", "?cues=merged")
    }
    assert told[""]["segments"][0]["text"] == "Corrected words."
    assert told[""]["provenance"]["text"] == "corrected"
    original = told["?text=original"]["segments"][0]
    assert original["text"] == original["original_text"] != "Corrected words."
    kinds = [segment["kind"] for segment in told[""]["segments"]]
    assert "unchanged" in kinds
    joined = [segment["kind"] for segment in told["?cues=merged"]["segments"]]
    assert len(joined) == len(kinds) - 1


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("export.srt?text=mine", 400, "`text` must be corrected or original, not 'mine'."),
        ("export.srt?cues=all", 400, "`cues` must be split or merged"),
        ("renders/m4a?cues=merged", 400, "`cues` can't be chosen for m4a."),
        ("renders/mp4?voice=de", 400, "`voice` can't be chosen for mp4."),
        ("renders/srt", 404, "'srt' is not rendered; choose mp4, m4a, wav."),
        ("renders/m4a?voice=../../x", 400, "There is no voice for '../../x'"),
    ],
)
def test_what_can_not_be_chosen_is_told(
    client: FlaskClient, job: dict[str, Any], path: str, status: int, words: str
) -> None:
    address = f"/api/jobs/{job['id']}/{path}"
    answer = client.get(address) if path.startswith("export") else client.post(address)
    assert answer.status_code == status
    assert words in answer.get_json()["error"]["message"]


def test_a_deleted_job_leaves_no_render(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    made(client, job["links"]["renders"]["wav"])
    folder = site.media.root / "renders" / job["id"]
    assert len(list(folder.iterdir())) == 2
    client.delete(job["links"]["self"])
    assert not folder.exists()


def test_a_render_under_way_ends_with_its_job(
    client: FlaskClient, site: Site, other_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    job = upload(client, other_clip)
    comment_windows(site.store, site.media, job["id"], 9)
    client.post(job["links"]["renders"]["mp4"])
    waiting_for(lambda: list((site.media.root / "incoming").iterdir()))
    client.delete(job["links"]["self"])
    waiting_for(lambda: not list((site.media.root / "incoming").iterdir()))
    assert not (site.media.root / "renders" / job["id"]).exists()
    waiting_for(lambda: f"render cancelled job_id={job['id']} format=mp4" in caplog.text)


def renderers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if any("worker.render" in word for word in command_line(child))
    ]


def waiting_for(done: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_cancels_may_ask_again(
    client: FlaskClient, site: Site, other_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    job = upload(client, other_clip)
    comment_windows(site.store, site.media, job["id"], 9)
    address = job["links"]["renders"]["mp4"]
    client.post(address)
    assert client.delete(address).status_code == 204
    assert client.get(address).get_json()["state"] == "none"
    waiting_for(lambda: "render cancelled" in caplog.text)
    assert made(client, address)["state"] == "ready"
    assert client.delete(address).status_code == 204
    assert client.get(address).get_json()["state"] == "none"


def test_what_a_killed_server_began_may_be_asked_for_again(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    address = job["links"]["renders"]["wav"]
    made(client, address)
    folder = site.media.root / "renders" / job["id"]
    (note,) = folder.glob("*.json")
    note.with_suffix("").unlink()
    for age_ms, state in ((0, "making"), (renders.FRESH_MS + 1000, "none")):
        words = {"state": "making", "progress": 0.5, "told_ms": now_ms() - age_ms}
        note.write_text(json.dumps(words))
        assert client.get(address).get_json()["state"] == state
    assert made(client, address)["state"] == "ready"


def test_a_file_that_can_not_be_read_is_told_and_tried_again(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    path = site.media.root / site.media.video(job["video"]["id"])
    content = path.read_bytes()
    path.write_bytes(b"\0" * 1000)
    render = made(client, job["links"]["renders"]["mp4"])
    assert render["state"] == "failed"
    assert render["message"].startswith('a "dog".mp4 can\'t be read as a video')
    path.write_bytes(content)
    assert made(client, job["links"]["renders"]["mp4"])["state"] == "ready"


def test_the_file_not_asked_for_longest_gives_way(build_app: BuildApp, known_clip: Path) -> None:
    app = build_app(render_bytes=2_000_000)
    client, site = app.test_client(), site_of(app)
    job = commented(client, site, known_clip)
    first = job["links"]["renders"]["wav"]
    assert made(client, first)["state"] == "ready"
    size = len(client.get(made(client, first)["url"]).data)
    small = build_app(render_bytes=size + 100_000)
    client = small.test_client()
    assert client.get(first).get_json()["state"] == "ready"
    assert made(client, f"{first}?voice=de")["state"] == "ready"
    assert client.get(first).get_json()["state"] == "none"
    assert client.get(f"{first}?voice=de").get_json()["state"] == "ready"


def test_one_after_another_and_not_too_many(
    client: FlaskClient, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renders, "MOST_WAITING", 1)
    addresses = [f"{job['links']['renders']['wav']}?voice={v}" for v in ("de", "en-us", "it", "pl")]
    answers = [client.post(address) for address in addresses]
    assert answers[-1].status_code == 503
    assert "ask again later" in answers[-1].get_json()["error"]["message"]
    assert ended(client, addresses[0])["state"] == "ready"


def test_the_offer_tells_formats_and_voices(client: FlaskClient, app: Flask) -> None:
    offer = client.get("/api/exports").get_json()
    assert [form["name"] for form in offer["formats"] if form["rendered"]] == ["mp4", "m4a", "wav"]
    assert offer["no_speech"] is None
    assert {"language": "de", "name": "German"} in offer["voices"]
    assert offer["default_voice"] in [voice["language"] for voice in offer["voices"]]
    assert all(form["purpose"] for form in offer["formats"])
