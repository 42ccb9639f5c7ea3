"""Fetches: files that the server gets by itself, from a folder of its own or from an address.

    waiting ⇄ fetching → whole → settled, as the upload of the same id

The row says where from, and which process is at it; bytes, wish and outcome are the upload's.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import Conflict, NotFound
from models.ids import is_id
from models.owners import is_gone
from models.paging import Place, behind, newest_first
from models.parameters import Parameters
from models.tables import Fetch, FetchKind, Upload
from models.uploads import begin_upload, put_off_end

LENGTH_UNKNOWN = -1
LEASE_MS = 30_000
_LOOKED_AT = 200  # fetches that are due, and perhaps taken


def add_fetch(
    session: Session,
    fetch_id: str,
    kind: FetchKind,
    address: str,
    *,
    owner: str | None,
    filename: str,
    parameters: Parameters,
    priority: int,
    hours: int,
    watched_key: str | None = None,
) -> Fetch:
    """Record a file that is to be fetched; its place is made before that, as an upload's."""
    upload = begin_upload(
        session,
        fetch_id,
        owner=owner,
        length_bytes=LENGTH_UNKNOWN,
        metadata_text="",
        filename=filename,
        parameters=parameters,
        priority=priority,
        hours=hours,
    )
    fetch = Fetch(
        id=upload.id,
        kind=kind,
        address=address,
        due_ms=now_ms(),
        attempts=0,
        watched_key=watched_key,
        upload=upload,
    )
    session.add(fetch)
    session.flush()
    return fetch


def get_fetch(session: Session, fetch_id: str, visitor: str | None) -> Fetch:
    """Return a fetch to whoever wished for it, a watched file's to anybody. Raises NotFound."""
    fetch = session.get(Fetch, fetch_id) if is_id(fetch_id) else None
    if fetch is None or not _may_see(fetch, visitor):
        raise NotFound(f"There is no fetch {fetch_id[:40]!r} of yours.")
    return fetch


def list_fetches(
    session: Session, visitor: str | None, *, limit: int, before: Place | None = None
) -> Sequence[Fetch]:
    """Return the fetches that have no job yet, or were refused, newest first.

    `before` continues a list behind that place.
    """
    statement = (
        select(Fetch)
        .join(Fetch.upload)
        .where(Upload.job_id.is_(None), *behind(Upload, before))
        .order_by(*newest_first(Upload))
    )
    if visitor is not None:
        statement = statement.where(or_(Upload.owner == visitor, Fetch.watched_key.is_not(None)))
    return session.scalars(statement.limit(limit)).all()


def claim(session: Session, owner: str, most: int, under_way: Collection[str]) -> Sequence[Fetch]:
    """Take up to `most` fetches that are due and that no living process is at, the oldest first.

    The caller is still at those `under_way`, though their leases may be over: it may have slept.
    """
    now = now_ms()
    statement = (
        select(Fetch)
        .join(Fetch.upload)
        .where(Upload.job_id.is_(None), Upload.failure_kind.is_(None), Fetch.due_ms <= now)
        .where(Fetch.id.not_in(under_way))
        .order_by(Fetch.due_ms)
        .limit(_LOOKED_AT)
        .with_for_update(of=Fetch, skip_locked=True)
    )
    due = [fetch for fetch in session.scalars(statement) if not _is_taken(fetch, now)]
    for fetch in due[:most]:
        fetch.owner, fetch.lease_until_ms = owner, now + LEASE_MS
    return due[:most]


def renew(session: Session, fetch_id: str, owner: str, hours: int) -> bool:
    """Keep a fetch for its owner; False: it has another one, or is gone."""
    kept = session.execute(
        update(Fetch)
        .where(Fetch.id == fetch_id, Fetch.owner == owner)
        .values(lease_until_ms=now_ms() + LEASE_MS)
        .returning(Fetch.id)
    ).first()
    if kept is not None:
        put_off_end(session, fetch_id, hours)
    return kept is not None


def note_opened(
    session: Session,
    fetch_id: str,
    *,
    validator: str | None,
    length_bytes: int,
    filename: str | None,
) -> None:
    """Note what the other side says of the file."""
    session.execute(
        update(Fetch).where(Fetch.id == fetch_id).values(validator=validator, trouble=None)
    )
    values: dict[str, object] = {"length_bytes": length_bytes}
    if filename is not None:
        values["filename"] = filename
    session.execute(update(Upload).where(Upload.id == fetch_id).values(values))


def note_whole(session: Session, fetch_id: str, length_bytes: int) -> None:
    session.execute(update(Upload).where(Upload.id == fetch_id).values(length_bytes=length_bytes))


def put_off(
    session: Session, fetch_id: str, owner: str, trouble: str, delay_ms: int, attempts: int
) -> None:
    """Give a fetch back, to be tried again after a while."""
    session.execute(
        update(Fetch)
        .where(Fetch.id == fetch_id, Fetch.owner == owner)
        .values(
            owner=None,
            lease_until_ms=None,
            due_ms=now_ms() + delay_ms,
            attempts=attempts,
            trouble=trouble,
        )
    )


def overdue(session: Session) -> Sequence[str]:
    """Return the ids of those for which nothing came for too long."""
    return session.scalars(
        select(Fetch.id)
        .join(Fetch.upload)
        .where(Upload.job_id.is_(None), Upload.failure_kind.is_(None), Upload.until_ms <= now_ms())
    ).all()


def try_again(session: Session, fetch: Fetch, hours: int) -> None:
    """Let a refused fetch be tried once more. Raises Conflict for one that wasn't refused."""
    if fetch.upload.failure_kind is None:
        raise Conflict("This fetch was not refused: there is nothing to try again.")
    fetch.upload.failure_kind = fetch.upload.failure_text = None
    fetch.owner = fetch.lease_until_ms = fetch.trouble = None
    fetch.due_ms, fetch.attempts = now_ms(), 0
    put_off_end(session, fetch.id, hours)


def forget_query(session: Session, fetch_id: str) -> None:
    """Blot out what may be a permission in the address of a file that is here."""
    fetch = session.get(Fetch, fetch_id)
    if fetch is not None and fetch.kind is FetchKind.URL:
        fetch.address = fetch.address.partition("?")[0]


def is_under_way(fetch: Fetch) -> bool:
    return _is_taken(fetch, now_ms())


def _is_taken(fetch: Fetch, now: int) -> bool:
    if fetch.owner is None or (fetch.lease_until_ms or 0) <= now:
        return False
    return not is_gone(fetch.owner)


def _may_see(fetch: Fetch, visitor: str | None) -> bool:
    return visitor is None or fetch.upload.owner == visitor or fetch.watched_key is not None
