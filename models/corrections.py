"""Corrections: what people make of a segment's text, beside what the commentator said.

Whoever corrects names the revision that they saw. So of two who edit at once the second is told what
the first wrote, instead of writing over it.
"""

import unicodedata

from sqlalchemy import update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import Conflict, InvalidRequest, NotFound
from models.printable import is_shown, is_unknown
from models.segments import get_segment
from models.tables import Segment

LONGEST_CORRECTION = 5000  # characters
LONGEST_NAME = 80


class CorrectedMeanwhile(Conflict):
    """Somebody else has changed the segment; it is told as it is now."""

    def __init__(self, segment: Segment) -> None:
        by = f" ({segment.corrected_by})" if segment.corrected_by else ""
        super().__init__(
            f"Somebody else{by} has changed this comment meanwhile. Nothing was saved: compare both texts, "
            "then save yours again or keep theirs."
        )
        self.segment = segment


def correct(
    session: Session, job_id: str, index: int, text: str | None, *, revision: int, by: str | None
) -> Segment:
    """Let a segment say `text`; "" takes the comment away, None brings the original back.

    Raises NotFound, InvalidRequest, or CorrectedMeanwhile when `revision` is no longer the newest. The same sent
    again, because its answer got lost, is answered as the first time.
    """
    segment = get_segment(session, job_id, index)
    correction = None if text is None else _clean(text)
    if correction == segment.text:
        correction = None
    is_corrected = correction is not None
    corrected_by = _name(by) if is_corrected else None
    changed = session.execute(
        update(Segment)
        .where(Segment.job_id == job_id, Segment.index == index, Segment.revision == revision)
        .values(
            correction=correction,
            revision=Segment.revision + 1,
            corrected_by=corrected_by,
            corrected_ms=now_ms(),  # also of an undoing: a summary may be made from the wrong words
        )
        .returning(Segment.revision)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    try:
        session.refresh(segment)
    except InvalidRequestError as error:
        raise NotFound("This comment has been deleted meanwhile.") from error
    is_sent_again = (segment.revision, segment.correction, segment.corrected_by) == (
        revision + 1,
        correction,
        corrected_by,
    )
    if changed is None and not is_sent_again:
        raise CorrectedMeanwhile(segment)
    return segment


def _clean(text: str) -> str:
    """Keep what a store and a page can hold. Raises InvalidRequest for what is too long."""
    kept = "".join(c for c in text.replace("\r\n", "\n") if _is_kept(c)).strip()
    if len(kept) > LONGEST_CORRECTION:
        raise InvalidRequest(
            f"The text has {len(kept)} characters; at most {LONGEST_CORRECTION} are taken."
        )
    return kept


def _name(by: str | None) -> str | None:
    return "".join(c for c in by or "" if is_shown(c)).strip()[:LONGEST_NAME] or None


def _is_kept(character: str) -> bool:
    if character in "\n\t" or is_unknown(character):
        return True
    return unicodedata.category(character) not in ("Cc", "Cs", "Cn")
