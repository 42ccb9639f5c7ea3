"""Uploads: what is known of a file while it arrives, and what became of it.

    begun → whole → settled: a job, or a failure

How much has arrived stands in no row: the size of the file tells it (models/arriving.py).
"""

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import AppError, Conflict, Expired, NotFound
from models.paging import Place, behind, newest_first
from models.parameters import Parameters
from models.tables import Fetch, Upload, is_id

_DAY_MS = 24 * 3600 * 1000
REMEMBERED_MS = (
    7 * _DAY_MS
)  # after its end: who asks is told that it has ended, not that it never was


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

    `before` continues a list behind that place. What the server fetches by itself is none of them:
    see models/fetches.py.
    """
    statement = (
        select(Upload)
        .where(Upload.job_id.is_(None), Upload.failure_kind.is_(None), Upload.until_ms > now_ms())
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


def settle(session: Session, upload_id: str, job_id: str) -> None:
    """Note the upload's job. Raises Conflict if it has one, so that the caller's job is undone."""
    _settle(session, upload_id, {"job_id": job_id})


def settle_failed(session: Session, upload_id: str, failure: AppError) -> None:
    """Note why the file was refused."""
    _settle(session, upload_id, {"failure_kind": failure.kind, "failure_text": str(failure)})


def _settle(session: Session, upload_id: str, values: dict[str, str]) -> None:
    settled = session.execute(
        update(Upload)
        .where(Upload.id == upload_id, Upload.job_id.is_(None), Upload.failure_kind.is_(None))
        .values(values)
        .returning(Upload.id)
    )
    if settled.first() is None:
        raise Conflict("This upload has been settled already, or it was removed.")


def remove_upload(session: Session, upload_id: str) -> bool:
    """Delete the row; True says that it had no job, so that the caller may remove the file."""
    statement = delete(Upload).where(Upload.id == upload_id).returning(Upload.job_id)
    removed = session.execute(statement).first()
    return removed is not None and removed.job_id is None


def list_arriving(session: Session) -> Sequence[str]:
    """Return the ids of all uploads whose file is still wanted."""
    return session.scalars(
        select(Upload.id).where(
            Upload.job_id.is_(None), Upload.failure_kind.is_(None), Upload.until_ms > now_ms()
        )
    ).all()


def forget_ended(session: Session) -> None:
    """Delete the rows of uploads that ended, or were settled, long ago."""
    session.execute(delete(Upload).where(Upload.until_ms <= now_ms() - REMEMBERED_MS))


def _end(hours: int) -> int:
    return now_ms() + hours * 3600 * 1000
