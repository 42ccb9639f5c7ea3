"""Files that the server gets by itself, with media in a bucket: in parts, over broken connections, once."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from models.bucket import Bucket
from settings import Settings
from tests.bucket.conftest import names_in
from tests.web.conftest import ReadingClient, site_of
from tests.web.fetching import make_due, one, work
from tests.web.file_server import running_file_server
from web import create_app


@pytest.fixture
def app(settings: Settings, tmp_path: Path, _migrated_file: Path) -> Iterator[Flask]:
    rows = shutil.copy(_migrated_file, tmp_path / "reelnotes.db")
    (tmp_path / "videos").mkdir()
    settings = replace(
        settings,
        database_url=f"sqlite:///{rows}",
        redis_url="redis://127.0.0.1:1/0",
        server_folder=str(tmp_path / "videos"),
        fetch_urls=1,
        fetch_hosts="127.0.0.1",
    )
    app = create_app(settings)
    app.test_client_class = ReadingClient
    yield app
    site_of(app).store.engine.dispose()


def stored(app: Flask, bucket: Bucket, fetch_url: str) -> bytes:
    """Return what became of a fetch; nothing else may be in the bucket."""
    client = app.test_client()
    fetch = client.get(fetch_url).get_json()
    assert fetch["state"] == "done", fetch
    video = client.get(f"/api/jobs/{fetch['job']}").get_json()["video"]
    assert names_in(bucket) == [f"videos/{video['id']}"]
    return bucket.read(f"videos/{video['id']}")


def test_a_file_of_the_folder_arrives(
    app: Flask, bucket: Bucket, large_clip: Path, tmp_path: Path
) -> None:
    shutil.copy(large_clip, tmp_path / "videos" / "large.mp4")
    url = one(app.test_client(), paths=["large.mp4"])
    work(app)
    assert stored(app, bucket, url) == large_clip.read_bytes()


@pytest.mark.parametrize("etag", ['"one"', '"two"'], ids=["the same file", "another file by now"])
def test_an_address_is_gone_on_with_or_begun_anew(
    app: Flask, bucket: Bucket, large_clip: Path, etag: str
) -> None:
    with running_file_server() as files:
        files.content = large_clip.read_bytes()
        files.cut_after, files.cuts_left = 9_000_000, 1  # in the second part
        url = one(app.test_client(), urls=[files.url()])
        work(app)
        waiting = app.test_client().get(url).get_json()
        assert 8 * 2**20 < waiting["offset_bytes"] < len(files.content)
        if etag != files.etag:
            files.etag, files.content = etag, files.content[:4_000_000]
        make_due(app)
        work(app)
        assert stored(app, bucket, url) == files.content
        assert int((files.ranges_asked[1] or "bytes=0-")[6:-1]) > 8 * 2**20
