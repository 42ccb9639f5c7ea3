"""What a WSGI server loads: `gunicorn web.wsgi:app`."""

from models import log
from settings import read_settings
from telemetry import tracing
from telemetry.registry import introduce
from web import background, create_app

settings = read_settings()
log.configure(settings)
introduce("web")
tracing.install(settings, "web")
app = create_app(settings)
background.begin(app.extensions["reelnotes"])
