"""A bucket on a real S3 server, reached over a line that can be cut."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.bucket import Bucket
from models.folder import Folder
from models.hints import connect
from models.ids import new_id
from models.media import open_media
from models.scratch import Scratch
from models.storage import Storage
from models.store import Store
from models.tables import Job
from settings import Settings
from tests.bucket.server import Line, line_to, s3_server
from tests.web.clips import write_clip, write_large_clip
from tests.web.conftest import ReadingClient, site_of
from tests.worker.test_advance import Counting
from web import create_app
from worker.advance import advance
from worker.keeper import Keeper
from worker.site import Site
from worker.sweep import Sweep

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CLIP_BYTES = 12 * 2**20  # two parts


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_server(tmp_path_factory.mktemp("s3") / "s3.log") as port:
        yield port


@pytest.fixture
def line(s3_port: int) -> Iterator[Line]:
    with line_to(s3_port) as line:
        yield line


@pytest.fixture
def settings(line: Line, tmp_path: Path) -> Settings:
    """Return settings with a bucket of the test's own; its objects of ours lie below a prefix."""
    name = f"test-{new_id()}"
    settings = Settings(
        data_dir=tmp_path / "here",
        media_url=f"s3://{name}/ours/reelnotes",
        s3_endpoint=f"http://127.0.0.1:{line.port}",
        s3_access_key="a-key",
        s3_secret_key="a-long-secret",
    )
    bucket_of(settings).client.create_bucket(Bucket=name)
    return settings


@pytest.fixture
def bucket(settings: Settings) -> Bucket:
    return bucket_of(settings)


def bucket_of(settings: Settings) -> Bucket:
    storage = open_media(settings).storage
    assert isinstance(storage, Bucket)
    return storage


def keys_in(bucket: Bucket) -> list[str]:
    """Return all keys of the bucket, those of others too."""
    client: S3Client = bucket.client
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket.bucket)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def names_in(bucket: Bucket) -> list[str]:
    return [key.removeprefix(bucket.prefix) for key in keys_in(bucket)]


def multiparts_in(bucket: Bucket) -> list[str]:
    answer = bucket.client.list_multipart_uploads(Bucket=bucket.bucket)
    return [upload["Key"] for upload in answer.get("Uploads", [])]


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Folder(tmp_path / "media")
    bucket: Bucket = request.getfixturevalue("bucket")
    return bucket


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path / "media" / "incoming")


@pytest.fixture(scope="session")
def large_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_large_clip(tmp_path_factory.mktemp("clips") / "large.mp4", CLIP_BYTES)


@dataclass(frozen=True)
class Hosts:
    """Web on one host, a worker on another; the store is reached by both."""

    settings: Settings
    app: Flask
    store: Store
    bucket: Bucket
    line: Line
    worker: Site

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def sweep(self, **changes: int) -> Sweep:
        return Sweep(self.store, connect(""), open_media(self.settings), 64, **changes)

    def job(self, job_id: str) -> Job:
        with self.store.read() as session:
            return session.get_one(Job, job_id)

    def comment(self, job_id: str) -> None:
        """Follow hints as the worker does until one finds nothing to do."""
        while advance(self.worker, job_id, self.job(job_id).hint_epoch):
            pass


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "bars.mp4")


@pytest.fixture
def hosts(
    settings: Settings, tmp_path: Path, line: Line, bucket: Bucket, _migrated_file: Path
) -> Iterator[Hosts]:
    rows = shutil.copy(_migrated_file, tmp_path / "reelnotes.db")
    (tmp_path / "videos").mkdir()
    settings = replace(
        settings,
        database_url=f"sqlite:///{rows}",
        redis_url="redis://127.0.0.1:1/0",
        server_folder=str(tmp_path / "videos"),
    )
    app = create_app(settings)
    app.test_client_class = ReadingClient
    store = site_of(app).store
    media = open_media(replace(settings, data_dir=tmp_path / "there"))
    worker = Site(store, media, Counting(), Keeper(store, 30_000, 120), 30_000, 120)
    yield Hosts(settings, app, store, bucket, line, worker)
    worker.decoder().close()
    worker.keeper.end()
    store.engine.dispose()
