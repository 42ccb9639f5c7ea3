"""The web server: pages for people, an API for programs. It translates between HTTP and the store."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from models.hints import connect
from models.media import open_media
from models.store import Store
from settings import Settings
from web import (
    access_log,
    activity,
    api,
    batch,
    conditional,
    corrections,
    errors,
    events,
    exporting,
    fetches,
    files,
    health,
    limits,
    meters,
    metrics,
    pages,
    presets,
    reference,
    runs,
    safety,
    scripts,
    search,
    sign_in,
    summary,
    transcript,
    tus,
    webhooks,
    words,
)
from web.ids import IdConverter
from web.json_bodies import Json
from web.playback import Playbacks
from web.renders import RENDERINGS, Renders, Voices
from web.shared import SharedAnswers
from web.site import Site

_OTHER_REQUEST_BYTES = 2**16  # all requests but uploads


def create_app(settings: Settings) -> Flask:
    """Build the application; the store must have been migrated."""
    app = Flask(__name__)
    app.json = Json(app)
    app.config["MAX_CONTENT_LENGTH"] = _OTHER_REQUEST_BYTES
    app.url_map.converters["id"] = IdConverter
    store, media = Store.open(settings.store_url), open_media(settings)
    app.extensions["reelnotes"] = Site(
        settings=settings,
        store=store,
        media=media,
        playbacks=Playbacks(media, settings.playback_bytes),
        renders=Renders(media, settings.render_bytes),
        voices=Voices(),
        celery=connect(settings.redis_url),
        answers=SharedAnswers(store.version),
    )
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=settings.proxies
    )
    meters.install(app, RENDERINGS)
    access_log.install(app, settings)
    errors.install(app)
    safety.install(app)
    conditional.install(app)
    sign_in.install(app, settings)
    limits.install(app, settings)
    health.install(app)
    words.install(app)
    scripts.install(app)
    for part in (
        activity,
        api,
        batch,
        corrections,
        events,
        exporting,
        fetches,
        files,
        health,
        metrics,
        pages,
        presets,
        reference,
        runs,
        search,
        summary,
        transcript,
        tus,
        webhooks,
        words,
    ):
        app.register_blueprint(part.bp)
    return app
