"""Brings in what is to be fetched, a few at a time, beside the requests.

Each fetch is one process's: it holds a lease in the store, and who died is followed at once, or when
its lease is over where that can't be told. What has come is the beginning of a file, as of an upload
in pieces; the next process, or the next connection, goes on behind it.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy.exc import IntegrityError

from models import fetches, uploads, watched
from models.arriving import Arriving
from models.errors import (
    AppError,
    Conflict,
    DiskFull,
    FetchFailed,
    InternalError,
    InvalidRequest,
    NotFound,
    StoreBusy,
    TooLarge,
    Unsupported,
)
from models.outbound import hosts_to_fetch_from
from models.owners import new_owner
from models.tables import Fetch, FetchKind
from web.fetching import download, folder
from web.fetching.download import Web
from web.fetching.source import Interrupted, Opened
from web.filenames import clean_filename
from web.intake import finish_upload, remove_upload
from web.site import Site
from web.uploads import check_room, check_size

AT_ONCE = 4  # connections and copies of one process
MOST_ATTEMPTS = 8  # in a row that bring nothing: some four minutes
_LOOK_S = 1.0
_RENEW_S = 5.0
_FULL_DISK_MS = 30_000
_NO_USE = (InvalidRequest, Unsupported, TooLarge)
"""After these what has come is worth nothing. After others a retry goes on behind it."""

log = logging.getLogger(__name__)


class _Known(Exception):
    """A watched file holds what is here already."""


@dataclass(slots=True)
class _Turn:
    """A fetch that this process is at."""

    fetch: Fetch
    lost: threading.Event = field(default_factory=threading.Event)  # it is another's, or gone


class Fetcher:
    def __init__(self, site: Site, web: Web | None = None) -> None:
        """`web` is how the network is reached, if not as the settings say."""
        self._site = site
        self._web = web or Web(hosts_to_fetch_from(site.settings))
        self._owner = new_owner()
        self._turns: dict[str, _Turn] = {}
        self._lock = threading.Lock()
        self._renewed = time.monotonic()

    def run(self) -> None:
        """Bring in whatever falls due, for as long as the process lives."""
        while True:
            try:
                self.renew()
                self.begin_due()
            except StoreBusy as error:
                log.warning("fetches wait for the store reason=%s", error)
            except Exception:  # a bug here must not end all fetching until the next restart
                log.exception("looking for fetches failed")
            time.sleep(_LOOK_S)

    def begin_due(self) -> list[threading.Thread]:
        """Begin what is due, as far as there is room; return the threads that do it."""
        site = self._site
        with site.store.read() as session:
            gone = fetches.overdue(session)
        for fetch_id in gone:
            hours = site.settings.upload_hours
            self._refuse(fetch_id, FetchFailed(f"Nothing has come within {hours} hours."))
        with self._lock:
            under_way = list(self._turns)
        room = AT_ONCE - len(under_way)
        if room <= 0:
            return []
        with site.store.write() as session:
            claimed = fetches.claim(session, self._owner, room, under_way)
        return [self._begin(fetch) for fetch in claimed]

    def _begin(self, fetch: Fetch) -> threading.Thread:
        turn = _Turn(fetch)
        with self._lock:
            self._turns[fetch.id] = turn
        thread = threading.Thread(target=self._take_turn, args=(turn,), daemon=True)
        thread.start()
        return thread

    def renew(self) -> None:
        """Keep the leases of what is under way."""
        if time.monotonic() - self._renewed < _RENEW_S:
            return
        self._renewed = time.monotonic()
        with self._lock:
            turns = list(self._turns.values())
        for turn in turns:
            with self._site.store.write() as session:
                hours = self._site.settings.upload_hours
                if not fetches.renew(session, turn.fetch.id, self._owner, hours):
                    turn.lost.set()

    def _take_turn(self, turn: _Turn) -> None:
        fetch = turn.fetch
        try:
            self._bring_in(turn)
        except Exception:  # the fetch stays leased, and is taken up again after that
            log.exception("fetch failed for now fetch_id=%s", fetch.id)
        finally:
            with self._lock:
                del self._turns[fetch.id]

    def _bring_in(self, turn: _Turn) -> None:
        """Take a fetch as far as it goes, and note what hinders it."""
        fetch, before = turn.fetch, self._arrived(turn.fetch)
        try:
            self._finish(fetch, self._receive(turn))
        except Interrupted as trouble:
            progress = self._arrived(fetch) > before
            attempts = 1 if progress else fetch.attempts + 1
            if attempts >= MOST_ATTEMPTS:
                self._refuse(fetch.id, FetchFailed(f"{trouble} Tried {attempts} times."))
            else:
                self._put_off(fetch, str(trouble), 1000 * 2**attempts, attempts)
        except NotFound:  # removed while it came
            log.info("fetch given up fetch_id=%s", fetch.id)
        except Conflict as conflict:  # another process writes, for it took us for dead
            self._put_off(fetch, str(conflict), fetches.LEASE_MS, fetch.attempts)
        except StoreBusy as trouble:  # a full disk too: a person may make room
            delay_ms = _FULL_DISK_MS if isinstance(trouble, DiskFull) else 5000
            self._put_off(fetch, str(trouble), delay_ms, fetch.attempts)
        except AppError as failure:
            self._refuse(fetch.id, failure)
        except Exception:  # the person must hear of it; the log gets the rest
            self._refuse(
                fetch.id, InternalError("Reelnotes failed at it; the server's log tells more.")
            )
            raise

    def _arrived(self, fetch: Fetch) -> int:
        return self._site.media.storage.arrivals.size(fetch.id, fetch.upload.length_bytes)

    def _receive(self, turn: _Turn) -> int:
        """Bring in all that is missing; return the length of the whole file."""
        fetch = turn.fetch
        if self._site.media.has_video(fetch.id):  # a killed process has moved it already
            return fetch.upload.length_bytes
        limit = self._site.settings.max_upload_bytes
        with self._opened(fetch, limit) as part:
            offset = part.offset
            if offset == fetch.upload.length_bytes:
                return offset
            with self._open(fetch, offset) as source:
                if source.offset != offset:
                    part.begin_anew()
                    offset = 0
                self._note(fetch, source)
                for after in source.bring(part, offset):
                    offset = after
                    if turn.lost.is_set():
                        raise NotFound("This fetch is another's, or gone.")
        if source.length_bytes not in (None, offset):
            raise Interrupted("The connection broke off before the end of the file.")
        with self._site.store.write() as session:
            fetches.note_whole(session, fetch.id, offset)
        return offset

    @contextmanager
    def _opened(self, fetch: Fetch, limit: int) -> Iterator[Arriving]:
        arrivals = self._site.media.storage.arrivals
        with ExitStack() as stack:
            try:
                part = stack.enter_context(arrivals.opened(fetch.id, limit))
            except NotFound:  # tried again after it was swept
                arrivals.begin(fetch.id, limit)
                part = stack.enter_context(arrivals.opened(fetch.id, limit))
            yield part

    def _open(self, fetch: Fetch, offset: int) -> AbstractContextManager[Opened]:
        settings = self._site.settings
        if fetch.kind is FetchKind.FOLDER:
            if not settings.server_folder:
                raise FetchFailed("This server offers no folder any more (setting SERVER_FOLDER).")
            return folder.open_source(
                settings.server_folder, fetch.address, offset, fetch.validator
            )
        if not settings.fetch_urls:
            raise FetchFailed("This server fetches no addresses any more (setting FETCH_URLS).")
        return download.open_source(self._web, fetch.address, offset, fetch.validator)

    def _note(self, fetch: Fetch, source: Opened) -> None:
        """Note what the source says of its file, and refuse it if there can't be room for it."""
        length = fetches.LENGTH_UNKNOWN if source.length_bytes is None else source.length_bytes
        check_size(length, self._site.settings.max_upload_bytes)
        with self._site.store.write() as session:
            fetches.note_opened(
                session,
                fetch.id,
                validator=source.validator,
                length_bytes=length,
                filename=None if source.filename is None else clean_filename(source.filename),
            )
        check_room(max(length - self._arrived(fetch), 0), self._site.media)

    def _finish(self, fetch: Fetch, length_bytes: int) -> None:
        """Make the whole file a job, unless it was watched and its content is known."""
        try:
            upload = finish_upload(
                self._site, fetch.id, lambda sha256: self._check_new(fetch, sha256)
            )
        except _Known:
            remove_upload(self._site, fetch.id)
            log.info("watched file is known already fetch_id=%s", fetch.id)
            return
        with self._site.store.write() as session:
            fetches.forget_query(session, fetch.id)
        log.info(
            "fetched fetch_id=%s bytes=%d job_id=%s refused=%s",
            *(fetch.id, length_bytes, upload.job_id, upload.failure_kind),
        )

    def _check_new(self, fetch: Fetch, sha256: str) -> None:
        """Raise _Known for a watched file whose content somebody has brought before."""
        if fetch.watched_key is None:
            return
        try:
            with self._site.store.write() as session:
                if watched.is_content_known(session, fetch.watched_key, sha256):
                    raise _Known
                watched.note_content(session, fetch.watched_key, sha256)
        except IntegrityError:  # the same content under another name, at the same moment
            raise _Known from None

    def _put_off(self, fetch: Fetch, trouble: str, delay_ms: int, attempts: int) -> None:
        log.warning("fetch waits fetch_id=%s reason=%s", fetch.id, trouble)
        with self._site.store.write() as session:
            fetches.put_off(session, fetch.id, self._owner, trouble, delay_ms, attempts)

    def _refuse(self, fetch_id: str, failure: AppError) -> None:
        log.info("fetch refused fetch_id=%s kind=%s reason=%s", fetch_id, failure.kind, failure)
        try:
            with self._site.store.write() as session:
                uploads.settle_failed(session, fetch_id, failure)
        except Conflict:  # settled by another, or removed
            return
        if isinstance(failure, _NO_USE):
            self._site.media.remove_upload(fetch_id)
