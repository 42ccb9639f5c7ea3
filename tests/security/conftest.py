"""The application of the web tests."""

from tests.web.conftest import (  # noqa: F401 (fixtures)
    app,
    build_app,
    client,
    clip,
    clip_facts,
    known_clip,
    shared_broker_url,
    site,
)
