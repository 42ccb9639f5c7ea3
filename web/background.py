"""What a web process does besides answering."""

import threading

from web.fetching import Fetcher, Watcher
from web.intake import finish_whole_uploads
from web.site import Site


def begin(site: Site) -> None:
    """Go on with what a server that was killed left, fetch and watch, beside the requests."""
    steps = [lambda: finish_whole_uploads(site), Fetcher(site).run]
    if site.settings.watch_seconds:
        steps.append(Watcher(site).run)
    for step in steps:
        threading.Thread(target=step, daemon=True).start()
