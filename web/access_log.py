"""A line for requests: who asked for what, and how it went. Neither query nor headers are told."""

import logging
import time

from flask import Flask, Response, g, request

from settings import Settings

log = logging.getLogger("web.requests")

_READS = {"GET", "HEAD", "OPTIONS"}


def install(app: Flask, settings: Settings) -> None:
    def begin() -> None:
        g.began = time.monotonic()

    def tell(answer: Response) -> Response:
        refused = answer.status_code in (401, 403, 429) or answer.status_code >= 500
        if settings.access_log or refused or request.method not in _READS:
            log.info(
                "request method=%s path=%s status=%d ms=%.0f visitor=%r address=%s",
                request.method,
                request.path,
                answer.status_code,
                (time.monotonic() - g.get("began", time.monotonic())) * 1000,
                g.get("visitor") or "",
                request.remote_addr,
            )
        return answer

    app.before_request(begin)
    app.after_request(tell)
