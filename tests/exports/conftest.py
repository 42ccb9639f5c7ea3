"""The application, for what the exports' tests ask of it."""

from tests.web.conftest import app, build_app, client, shared_broker_url

__all__ = ["app", "build_app", "client", "shared_broker_url"]
