"""The JSON API of the search."""

from flask import Blueprint, Response, jsonify, request, url_for

from models.commentators import COMMENTATORS
from models.profiles import PROFILES
from models.search import POOL, Hit, Wish, find
from web.answers import still_url
from web.query import choice, job_state, moment, whole_number
from web.shapes import FindShape, HitShape, PieceShape
from web.site import site

bp = Blueprint("search", __name__, url_prefix="/api")

HITS_A_PAGE = 25
MOST_HITS = 100
FURTHEST = 1000


@bp.get("/search")
def search() -> Response:
    """Find comments, speech and summaries that hold all the words of `q`, the best first."""
    limit = whole_number("limit", HITS_A_PAGE, 1, MOST_HITS)
    offset = whole_number("offset", 0, 0, FURTHEST)
    wish = Wish(
        words=request.args.get("q", ""),
        state=job_state(request.args.get("state", "")),
        commentator=choice("commentator", COMMENTATORS),
        profile=choice("profile", PROFILES),
        from_ms=moment("from"),
        until_ms=moment("until"),
    )
    with site().store.read() as session:
        found = find(session, wish, limit=limit, offset=offset)
    after = offset + len(found.hits)
    answer = FindShape(
        hits=[_hit_shape(hit) for hit in found.hits],
        total=found.total,
        most=POOL,
        next=after if found.hits and after < min(found.total, FURTHEST) else None,
    )
    return jsonify(answer)


def _hit_shape(hit: Hit) -> HitShape:
    job = hit.job
    return HitShape(
        job_id=job.id,
        filename=job.filename,
        state=job.state.value,
        commentator=job.commentator,
        profile=job.parameters.get("profile"),
        created_ms=job.created_ms,
        source=hit.source.value,
        index=hit.window,
        start_ms=hit.start_ms,
        end_ms=hit.end_ms,
        excerpt=[PieceShape(text=piece.text, hit=piece.is_hit) for piece in hit.excerpt],
        corrected=hit.is_corrected,
        page=f"{url_for('pages.show', job_id=job.id)}#t={hit.start_ms / 1000:g}",
        still=None if hit.window is None else still_url(job, hit.window),
    )
