"""gunicorn's own log, written as ours is: it quotes what clients send, and tells how its processes end."""

from typing import Any

from gunicorn.glogging import Logger

from models.log import formatter
from settings import read_settings


class ServerLog(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter(read_settings()))
