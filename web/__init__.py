"""The web server: pages for people, an API for programs. It translates between HTTP and the store."""

from flask import Flask

from models.hints import connect
from models.media import Media
from models.store import Store
from settings import Settings
from web import api, errors, events, files, pages, safety, sign_in
from web.ids import IdConverter
from web.site import Site

_OTHER_REQUEST_BYTES = 2**16  # all requests but uploads


def create_app(settings: Settings) -> Flask:
    """Build the application; the store must have been migrated."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _OTHER_REQUEST_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["id"] = IdConverter
    app.extensions["reelnotes"] = Site(
        settings=settings,
        store=Store.open(settings.store_url),
        media=Media(settings.data_dir / "media"),
        celery=connect(settings.redis_url),
    )
    errors.install(app)
    safety.install(app)
    sign_in.install(app, settings)
    for part in (api, events, files, pages):
        app.register_blueprint(part.bp)
    return app
