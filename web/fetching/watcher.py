"""Notices files that come into the operator's folder, and wishes for their fetching, once each.

What lies there when the folder is watched for the first time is left alone: it didn't come.
"""

import logging
import time
from collections.abc import Callable, Mapping

from sqlalchemy.exc import IntegrityError

from models import fetches, watched
from models.errors import AppError, InvalidRequest
from models.ids import new_id
from models.tables import FetchKind, Preset, WatchedFile
from web.fetching.folder import Stamp, walk_videos
from web.filenames import clean_filename
from web.site import Site
from web.uploads import Wish, parse_wish

_LONGEST_PAUSE_S = 5.0
_REST = 10  # a look that takes long is followed by a pause of so many times that

log = logging.getLogger(__name__)


def watch_wish(site: Site) -> Wish:
    """Return what watched files are queued with. Raises InvalidRequest for a preset that won't do."""
    name = site.settings.watch_preset
    with site.store.read() as session:
        preset = session.get(Preset, name) if name else None
    if name and preset is None:
        raise InvalidRequest(
            f"Files wait until there is a preset called {name[:60]!r} (setting WATCH_PRESET)."
        )
    return parse_wish(preset.fields if preset else {}, site.settings)


class Watcher:
    def __init__(self, site: Site, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells the seconds in which a file stays as it is."""
        self._site = site
        self._clock = clock
        self._root = site.settings.server_folder
        self._seen: dict[str, tuple[Stamp, float]] = {}  # and since when it is so
        self._noted: set[str] = set()  # keys of what needs no look into the store any more
        self._trouble = ""

    def run(self) -> None:
        """Look again and again, for as long as the process lives."""
        while True:
            began = time.monotonic()
            try:
                self.look()
                self._tell("")
            except AppError as error:
                self._tell(str(error))
            except Exception:  # a bug here must not end all watching until the next restart
                log.exception("watching the folder failed")
            took = time.monotonic() - began
            pause = min(self._site.settings.watch_seconds / 3, _LONGEST_PAUSE_S)
            time.sleep(max(pause, took * _REST))

    def _tell(self, trouble: str) -> None:
        """Log what hinders the watching, once."""
        if trouble and trouble != self._trouble:
            log.warning("folder is not watched for now reason=%s", trouble)
        self._trouble = trouble

    def look(self) -> None:
        """Queue what came and stays as it is. Raises NotFound for the folder, InvalidRequest, StoreBusy."""
        found = walk_videos(self._root)
        if self._is_first_look(found):
            return
        now = self._clock()
        self._seen = {
            path: before
            if (before := self._seen.get(path)) is not None and before[0] == stamp
            else (stamp, now)
            for path, stamp in found.items()
        }
        settled = {
            self._key(path, stamp): path
            for path, (stamp, since) in self._seen.items()
            if now - since >= self._site.settings.watch_seconds
        }
        self._noted &= settled.keys()
        self._queue({key: path for key, path in settled.items() if key not in self._noted})

    def _key(self, path: str, stamp: Stamp) -> str:
        return watched.key_of(self._root, path, stamp.text)

    def _is_first_look(self, found: Mapping[str, Stamp]) -> bool:
        """Note all that is there, unless that was done once; tell whether it had to be."""
        marker = watched.key_of(self._root)
        with self._site.store.read() as session:
            if session.get(WatchedFile, marker) is not None:
                return False
        paths = {self._key(path, stamp): path for path, stamp in found.items()}
        try:
            with self._site.store.write() as session:
                watched.note_files(session, {marker: "", **paths})
        except IntegrityError:  # another process was first
            return True
        log.info("folder is watched from now on files=%d", len(found))
        return True

    def _queue(self, settled: Mapping[str, str]) -> None:
        if not settled:
            return
        with self._site.store.read() as session:
            known = watched.known_keys(session, settled.keys())
        new = {key: path for key, path in settled.items() if key not in known}
        wish = watch_wish(self._site) if new else None
        for key, path in new.items():
            assert wish is not None
            self._wish_for(key, path, wish)
        self._noted.update(settled)

    def _wish_for(self, key: str, path: str, wish: Wish) -> None:
        site, fetch_id = self._site, new_id()
        site.media.storage.arrivals.begin(fetch_id, site.settings.max_upload_bytes)
        try:
            with site.store.write() as session:
                watched.note_files(session, {key: path})
                fetches.add_fetch(
                    session,
                    fetch_id,
                    FetchKind.FOLDER,
                    path,
                    owner=None,
                    filename=clean_filename(path),
                    parameters=wish.parameters,
                    priority=wish.priority,
                    hours=site.settings.upload_hours,
                    watched_key=key,
                )
        except IntegrityError:  # another process was first
            site.media.storage.arrivals.remove(fetch_id)
            return
        log.info("file came into the folder fetch_id=%s", fetch_id)
