"""Videos in ranges, stills, exports."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from models.errors import CommentatorFailed
from models.ids import new_id
from models.tables import Video
from tests.web.commenting import comment_windows, fail_next
from tests.web.requests import upload
from web import documents, files
from web.site import Site


@pytest.fixture
def job(client: FlaskClient, known_clip: Path) -> dict[str, Any]:
    return upload(client, known_clip)


def test_a_whole_video_comes_as_it_was_sent(
    client: FlaskClient, known_clip: Path, job: dict[str, Any]
) -> None:
    answer = client.get(job["video"]["url"])
    assert (answer.status_code, answer.mimetype) == (200, "video/mp4")
    assert answer.data == known_clip.read_bytes()
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def ranges(client: FlaskClient, job: dict[str, Any], asked: str) -> tuple[int, str | None, bytes]:
    answer = client.get(job["video"]["url"], headers={"Range": asked})
    return answer.status_code, answer.headers.get("Content-Range"), answer.data


def test_ranges_are_answered(client: FlaskClient, known_clip: Path, job: dict[str, Any]) -> None:
    content = known_clip.read_bytes()
    size = len(content)
    assert ranges(client, job, "bytes=0-99") == (206, f"bytes 0-99/{size}", content[:100])
    assert ranges(client, job, "bytes=100-") == (206, f"bytes 100-{size - 1}/{size}", content[100:])
    assert ranges(client, job, "bytes=-10") == (
        206, f"bytes {size - 10}-{size - 1}/{size}", content[-10:],
    )  # fmt: skip
    assert ranges(client, job, f"bytes={size}-")[0] == 416


def test_no_answer_to_a_range_is_longer_than_a_mebibyte(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    size = files.RANGE_BYTES * 2 + 5
    (site.media.root / site.media.video(job["video"]["id"])).write_bytes(bytes(size))
    with site.store.write() as session:
        session.get_one(Video, job["video"]["id"]).size_bytes = size
    end = files.RANGE_BYTES
    status, span, data = ranges(client, job, "bytes=1-")
    assert (status, span, len(data)) == (206, f"bytes 1-{end}/{size}", end)


def test_an_unchanged_video_is_not_sent_again(client: FlaskClient, job: dict[str, Any]) -> None:
    tag = client.get(job["video"]["url"]).headers["ETag"]
    assert client.get(job["video"]["url"], headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("mime_type", ["", "text/html"])
def test_what_is_no_video_for_browsers_is_only_a_download(
    client: FlaskClient, site: Site, job: dict[str, Any], mime_type: str
) -> None:
    with site.store.write() as session:
        session.get_one(Video, job["video"]["id"]).mime_type = mime_type
    answer = client.get(job["video"]["url"])
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_file_that_is_gone_is_not_found(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    (site.media.root / site.media.video(job["video"]["id"])).unlink()
    for path in (job["video"]["url"], f"/media/videos/{new_id()}"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.get_json()["error"]["kind"] == "not-found"


def test_a_still_is_a_jpeg(client: FlaskClient, site: Site, job: dict[str, Any]) -> None:
    comment_windows(site.store, site.media, job["id"], 1)
    answer = client.get(f"/media/stills/{job['id']}/0.jpg")
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    for window in ("1", "1" * 300):
        assert client.get(f"/media/stills/{job['id']}/{window}.jpg").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/media/videos/../../reelnotes.db",
        "/media/videos/..%2f..%2fsecret-key",
        "/media/stills/..%2f..%2fx/0.jpg",
        "/static/../site.py",
        "/static/..%2fsite.py",
    ],
)
def test_no_path_leads_out_of_the_folders(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("kind", "mime_type", "words"),
    [
        ("srt", "application/x-subrip", "00:00:00,000 -->"),
        ("vtt", "text/vtt", "WEBVTT"),
        ("json", "application/json", '"sha256"'),
        ("csv", "text/csv", "At least"),
        ("ttml", "application/ttml+xml", "At least"),
        ("edl", "text/plain", "* COMMENT: At least"),
        ("fcpxml", "application/xml", 'value="At least'),
        ("txt", "text/plain", "At least"),
    ],
)
def test_exports_are_downloads_under_a_safe_name(
    client: FlaskClient, site: Site, known_clip: Path, kind: str, mime_type: str, words: str
) -> None:
    job = upload(client, known_clip, filename='a "cat";\t ñ.mp4')
    comment_windows(site.store, site.media, job["id"], 9)
    answer = client.get(job["links"]["exports"][kind])
    assert (answer.status_code, answer.mimetype) == (200, mime_type)
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert f".{kind}" in disposition
    assert not set("\r\n\t") & set(disposition)
    assert words in answer.text


def test_an_export_holds_every_segment(
    client: FlaskClient, site: Site, known_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_ROWS_AT_ONCE", 2)
    job = upload(client, known_clip, window_hop="2")
    comment_windows(site.store, site.media, job["id"], 99)
    document = json.loads(client.get(job["links"]["exports"]["json"]).text)
    assert [segment["index"] for segment in document["segments"]] == list(range(6))


def test_the_json_export_says_what_the_api_says(
    client: FlaskClient, site: Site, job: dict[str, Any]
) -> None:
    comment_windows(site.store, site.media, job["id"], 1)
    fail_next(site.store, job["id"], CommentatorFailed("It broke."))
    told = client.get(job["links"]["self"]).get_json()
    segments = client.get(job["links"]["segments"]).get_json()["segments"]
    document = json.loads(client.get(job["links"]["exports"]["json"]).text)
    assert told["video"].pop("url")
    assert told["video"].pop("removed_ms") is None
    assert {name: told[name] for name in document["job"]} == document["job"]
    assert document["segments"] == [
        {name: value for name, value in segment.items() if name != "still"} for segment in segments
    ]


def test_captions_come_inline(client: FlaskClient, job: dict[str, Any]) -> None:
    answer = client.get(job["links"]["exports"]["vtt"] + "?inline=1")
    assert answer.headers["Content-Disposition"].startswith("inline")


def test_an_export_in_no_known_format_is_not_found(
    client: FlaskClient, job: dict[str, Any]
) -> None:
    answer = client.get(f"/api/jobs/{job['id']}/export.exe")
    assert answer.status_code == 404
    assert "choose srt, vtt, ttml" in answer.get_json()["error"]["message"]
