"""A web server that is killed in the middle of an upload in one request leaves nothing in the bucket."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from models.bucket import Bucket
from settings import Settings
from tests.bucket.conftest import multiparts_in, names_in
from tests.bucket.server import Line
from tests.faults.test_uploads import slow_file
from tests.journey.stack import Stack, running_stack
from tests.packaging.processes import wait_for


@pytest.fixture
def stack(settings: Settings, tmp_path: Path) -> Iterator[Stack]:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "welcomed").touch()  # no sample for a newcomer
    with running_stack(
        data_dir,
        MEDIA_URL=settings.media_url,
        S3_ENDPOINT=settings.s3_endpoint,
        S3_ACCESS_KEY=settings.s3_access_key,
        S3_SECRET_KEY=settings.s3_secret_key,
    ) as stack:
        yield stack


@contextmanager
def sending(stack: Stack, clip: Path) -> Iterator[Future[httpx.Response]]:
    with ThreadPoolExecutor(1) as others:
        url = f"{stack.url}/api/jobs?filename=x.mp4"
        yield others.submit(httpx.post, url, content=clip.read_bytes(), timeout=60)


def test_a_kill_while_the_file_is_sent_and_one_before_its_row(
    stack: Stack, line: Line, bucket: Bucket, large_clip: Path
) -> None:
    line.hold_at = b"partNumber=2"
    with sending(stack, large_clip) as answer:
        assert line.held.wait(60)
        assert len(multiparts_in(bucket)) == 1
        stack.kill("web")
        assert isinstance(answer.exception(), httpx.TransportError)
    line.hold_at = None
    line.go_on.set()
    wait_for(lambda: multiparts_in(bucket) == [], "the sweep")

    with slow_file(stack.data_dir / "reelnotes.db"), sending(stack, large_clip) as answer:
        wait_for(lambda: names_in(bucket), "the file among the videos")
        stack.kill("web")
        assert isinstance(answer.exception(), httpx.TransportError)
    wait_for(lambda: names_in(bucket) == [], "the sweep")
    with stack.client() as client:
        assert client.jobs(1)["jobs"] == []
