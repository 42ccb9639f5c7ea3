"""The application on a real, migrated store, for every kind of store there is."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models.facts import VideoFacts
from models.ids import new_id
from models.store import Store
from models.videos import add_video
from settings import Settings
from tests.broker import running_broker
from tests.web.clips import write_clip
from web import create_app
from web.probe import probe
from web.site import Site


class ReadingClient(FlaskClient):
    """Reads every answer to its end, as a browser does, unless told otherwise."""

    def open(self, *args: Any, buffered: bool = True, **kwargs: Any) -> TestResponse:
        return super().open(*args, buffered=buffered, **kwargs)


BuildApp = Callable[..., Flask]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 6 seconds that browsers play."""
    return write_clip(tmp_path_factory.mktemp("clips") / "bars.mp4")


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "other.mp4", seconds=20, seed=60)


@pytest.fixture(scope="session")
def shared_broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a real broker to which nobody listens; its queues only grow."""
    with running_broker(tmp_path_factory.mktemp("broker")) as url:
        yield url


@pytest.fixture
def build_app(
    store: Store, database_url: str, shared_broker_url: str, tmp_path: Path
) -> Iterator[BuildApp]:
    """Yield create_app for settings that differ from the tests' own."""
    built: list[Flask] = []

    def build(**changes: object) -> Flask:
        values = {
            "data_dir": tmp_path / "data",
            "database_url": database_url,
            "redis_url": shared_broker_url,
            "chunk_windows": 2,
        }
        app = create_app(Settings(**{**values, **changes}))  # type: ignore[arg-type]
        app.test_client_class = ReadingClient
        built.append(app)
        return app

    yield build
    for app in built:
        site_of(app).store.engine.dispose()


@pytest.fixture
def app(build_app: BuildApp) -> Flask:
    return build_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def site_of(app: Flask) -> Site:
    site: Site = app.extensions["reelnotes"]
    return site


@pytest.fixture
def site(app: Flask) -> Site:
    return site_of(app)


@pytest.fixture(scope="session")
def clip_facts(clip: Path) -> VideoFacts:
    return probe(clip, clip.name)


@pytest.fixture
def known_clip(site: Site, clip: Path, clip_facts: VideoFacts) -> Path:
    """Return a clip that needs no probe any more: its content is in the store."""
    content = clip.read_bytes()
    with site.store.write() as session:
        video = add_video(session, new_id(), sha256(content).hexdigest(), len(content), clip_facts)
    (site.media.root / site.media.video(video.id)).parent.mkdir(parents=True)
    (site.media.root / site.media.video(video.id)).write_bytes(content)
    return clip
