"""Uploads: what is known of a file while it arrives, and what became of it.

    begun → whole → settled: a job, or a failure

How much has arrived stands in no row: the size of the file tells it (models/arriving.py).

A file that comes in one request has its row once it is whole, before it goes among the videos. Nobody
but its holder, the process that was sent it, knows what to answer for it: so when that is gone, or
silent, it is given up, and the sweep removes what is left.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import AppError, Conflict, Expired, NotFound, WorkerLost
from models.ids import is_id
from models.owners import is_gone, new_owner
from models.paging import Place, behind, newest_first
from models.parameters import Parameters
from models.tables import Fetch, Job, Upload

_DAY_MS = 24 * 3600 * 1000
REMEMBERED_MS = (
    7 * _DAY_MS
)  # after its end: who asks is told that it has ended, not that it never was
HELD_MS = 60_000  # without a word of its holder

_LEFT = WorkerLost(
    "The server's process ended, or was held up, while it took the file in: send it again."
)


def begin_upload(
    session: Session,
    upload_id: str,
    *,
    owner: str | None,
    length_bytes: int,
    metadata_text: str,
    filename: str,
    parameters: Parameters,
    priority: int,
    hours: int,
) -> Upload:
    """Record an upload of which nothing has arrived; it ends after `hours` in which nothing comes.

    Its place is made before that (Arrivals.begin()), under the same id: one without a row is swept.
    """
    now = now_ms()
    upload = Upload(
        id=upload_id,
        owner=owner,
        length_bytes=length_bytes,
        metadata_text=metadata_text,
        filename=filename,
        parameters=parameters.to_json(),
        priority=priority,
        created_ms=now,
        until_ms=_end(hours),
    )
    session.add(upload)
    session.flush()
    return upload


def begin_held(
    session: Session,
    upload_id: str,
    *,
    length_bytes: int,
    filename: str,
    parameters: Parameters,
    priority: int,
) -> None:
    """Record a whole file that this process has in hand; it calls hold_on() within HELD_MS, again and again.

    Only then may the file go among the videos, under the same id.
    """
    upload = begin_upload(
        session,
        upload_id,
        owner=None,
        length_bytes=length_bytes,
        metadata_text="",
        filename=filename,
        parameters=parameters,
        priority=priority,
        hours=0,
    )
    upload.holder, upload.until_ms = new_owner(), now_ms() + HELD_MS


def hold_on(session: Session, upload_id: str) -> None:
    """Say that its holder is still at it."""
    session.execute(
        update(Upload)
        .where(Upload.id == upload_id, Upload.holder.is_not(None), *_is_open())
        .values(until_ms=now_ms() + HELD_MS)
    )


def get_upload(session: Session, upload_id: str, visitor: str | None) -> Upload:
    """Return an upload to whoever began it; to anybody where nobody signs in (`visitor` is None).

    Raises NotFound, for others' too, and Expired.
    """
    upload = session.get(Upload, upload_id) if is_id(upload_id) else None
    is_anothers = upload is None or (visitor is not None and upload.owner != visitor)
    if upload is None or is_anothers or session.get(Fetch, upload_id) is not None:
        raise NotFound(f"There is no upload {upload_id[:40]!r} of yours: begin it anew.")
    if not upload.is_settled and upload.until_ms <= now_ms():
        raise Expired(
            "Nothing came for this upload for too long, so it was given up: begin it anew."
        )
    return upload


def list_uploads(
    session: Session, visitor: str | None, *, limit: int | None, before: Place | None = None
) -> Sequence[Upload]:
    """Return whose uploads are still to be settled, newest first; everybody's where nobody signs in.

    `before` continues a list behind that place. What the server fetches by itself is none of them
    (models/fetches.py), nor is what came in one request.
    """
    statement = (
        select(Upload)
        .where(*_is_open(), Upload.until_ms > now_ms(), Upload.holder.is_(None))
        .where(Upload.id.not_in(select(Fetch.id)), *behind(Upload, before))
        .order_by(*newest_first(Upload))
    )
    if visitor is not None:
        statement = statement.where(Upload.owner == visitor)
    return session.scalars(statement.limit(limit)).all()


def put_off_end(session: Session, upload_id: str, hours: int) -> int:
    """Let an upload to which something came live on; return its new end."""
    end = _end(hours)
    session.execute(update(Upload).where(Upload.id == upload_id).values(until_ms=end))
    return end


def settle(session: Session, upload_id: str, job: Job) -> None:
    """Note the upload's job. Raises Conflict if it is settled, so that the caller's job is undone.

    Where the same content was here before, this process has the file still in hand: it removes it, then
    calls let_go().
    """
    values: dict[str, object] = {"job_id": job.id, "holder": None}
    if job.video_id != upload_id:
        values |= {"holder": new_owner(), "until_ms": now_ms() + HELD_MS}
    _settle(session, upload_id, values)


def settle_failed(session: Session, upload_id: str, failure: AppError) -> None:
    """Note why the file was refused."""
    _settle(session, upload_id, {"failure_kind": failure.kind, "failure_text": str(failure)})


def _settle(session: Session, upload_id: str, values: dict[str, object]) -> None:
    settled = session.execute(
        update(Upload)
        .where(Upload.id == upload_id, *_is_open())
        .values(values)
        .returning(Upload.id)
    )
    if settled.first() is None:
        raise Conflict("This upload has been settled already, or it was removed.")


def are_held(session: Session) -> bool:
    """Tell whether anybody has a whole file in hand."""
    return session.scalar(select(Upload.id).where(Upload.holder.is_not(None)).limit(1)) is not None


def give_up_left(session: Session) -> Sequence[str]:
    """Give up what holders that are silent or gone had in hand; return the ids.

    From then on none of them becomes a video: the caller removes what is there, then calls let_go().
    """
    held = session.execute(select(Upload.id, Upload.holder).where(Upload.holder.is_not(None)))
    gone = [row.id for row in held if is_gone(row.holder)]
    left = session.scalars(
        select(Upload)
        .where(Upload.holder.is_not(None), (Upload.until_ms <= now_ms()) | Upload.id.in_(gone))
        .with_for_update(skip_locked=True)  # whose commit is on its way, though its sender be dead
        .execution_options(populate_existing=True)
    ).all()
    for upload in left:
        if not upload.is_settled:
            upload.failure_kind, upload.failure_text = _LEFT.kind, str(_LEFT)
    return [upload.id for upload in left]


def let_go(session: Session, upload_ids: Collection[str]) -> None:
    """Note that nothing is left of files that were in somebody's hands."""
    session.execute(update(Upload).where(Upload.id.in_(upload_ids)).values(holder=None))


def remove_upload(session: Session, upload_id: str) -> bool:
    """Delete the row; True says that it had no job, so that the caller may remove the file."""
    statement = delete(Upload).where(Upload.id == upload_id).returning(Upload.job_id)
    removed = session.execute(statement).first()
    return removed is not None and removed.job_id is None


def list_arriving(session: Session) -> Sequence[str]:
    """Return the ids of all uploads whose file is still wanted."""
    return session.scalars(select(Upload.id).where(*_is_open(), Upload.until_ms > now_ms())).all()


def forget_ended(session: Session) -> None:
    """Delete the rows of uploads that ended, or were settled, long ago."""
    session.execute(delete(Upload).where(Upload.until_ms <= now_ms() - REMEMBERED_MS))


def _is_open() -> tuple[ColumnElement[bool], ...]:
    return Upload.job_id.is_(None), Upload.failure_kind.is_(None)


def _end(hours: int) -> int:
    return now_ms() + hours * 3600 * 1000
