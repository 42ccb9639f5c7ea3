"""Files that the server gets by itself: from a folder of its operator's, or from an address.

    folder.py    what lies in SERVER_FOLDER; opens it without ever leaving it
    hosts.py     which addresses of the network may be asked
    download.py  one connection to them, with all its redirects
    source.py    what both hand over
    fetcher.py   brings the bytes in, over however many connections and restarts
    watcher.py   notices files that come into the folder

None of them queues a job: a file that is whole goes the way of an upload (web/intake.py).
"""

from web.fetching.fetcher import Fetcher
from web.fetching.watcher import Watcher

__all__ = ["Fetcher", "Watcher"]
