"""What a WSGI server loads: `gunicorn web.wsgi:app`."""

from settings import read_settings
from web import create_app

app = create_app(read_settings())
