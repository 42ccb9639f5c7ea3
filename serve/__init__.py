"""`reelnotes serve`: every process of Reelnotes on one machine, supervised."""

from serve.programs import gunicorn
from serve.run import CannotServe, demo, serve
from serve.running import Running, find

__all__ = ["CannotServe", "Running", "demo", "find", "gunicorn", "serve"]
