"""What a web process does besides answering."""

import logging
import threading
import time

from web.fetching import Fetcher, Watcher
from web.intake import finish_whole_uploads
from web.site import Site

_TIDY_S = 60.0

log = logging.getLogger(__name__)


def begin(site: Site) -> None:
    """Go on with what a server that was killed left, fetch and watch, beside the requests."""
    steps = [lambda: finish_whole_uploads(site), lambda: _tidy(site), Fetcher(site).run]
    if site.settings.watch_seconds:
        steps.append(Watcher(site).run)
    for step in steps:
        threading.Thread(target=step, daemon=True).start()


def _tidy(site: Site) -> None:
    """Drop what killed processes have left half received on this machine: the sweep may run on another."""
    while True:
        try:
            site.media.scratch.drop_broken()
        except OSError as error:
            log.warning("half uploads not dropped reason=%s", error)
        time.sleep(_TIDY_S)
