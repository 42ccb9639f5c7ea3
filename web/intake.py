"""From a received file to a queued job. The same content is stored once, whoever comes first."""

from sqlalchemy.exc import IntegrityError

from models import jobs
from models.hints import send_hints
from models.jobs import Hints
from models.media import Incoming
from models.tables import new_id
from models.videos import VideoFacts, add_video, facts_of, find_video
from web.probe import probe
from web.site import Site
from web.uploads import Wish

_TRIES = 3  # each one lost to an upload, or a deletion, of the same content at the same moment


def queue_upload(site: Site, incoming: Incoming, wish: Wish) -> str:
    """Probe the file, keep it, queue its job; return the job's id.

    Raises what the probe refuses the file with; then nothing of it is left.
    """
    incoming.finish()
    facts = _known_facts(site, incoming) or probe(incoming.path, wish.filename)
    kept = new_id()
    site.media.keep(incoming, kept)
    try:
        used, hints = _store(site, incoming, wish, facts, kept)
    except BaseException:  # whatever ended it, a stopping server too: no row, so no file
        site.media.remove_video(kept)
        raise
    if used != kept:
        site.media.give_up(kept, used)
    send_hints(site.celery, hints)
    return hints.job_id


def _known_facts(site: Site, incoming: Incoming) -> VideoFacts | None:
    with site.store.read() as session:
        video = find_video(session, incoming.sha256)
        return None if video is None else facts_of(video)


def _store(
    site: Site, incoming: Incoming, wish: Wish, facts: VideoFacts, kept: str
) -> tuple[str, Hints]:
    """Write the rows; return the id under which the file is used, and what to tell the workers."""
    for _ in range(_TRIES - 1):
        try:
            return _store_once(site, incoming, wish, facts, kept)
        except IntegrityError:
            continue
    return _store_once(site, incoming, wish, facts, kept)


def _store_once(
    site: Site, incoming: Incoming, wish: Wish, facts: VideoFacts, kept: str
) -> tuple[str, Hints]:
    settings = site.settings
    with site.store.write() as session:
        video = find_video(session, incoming.sha256) or add_video(
            session, kept, incoming.sha256, incoming.size, facts
        )
        job = jobs.create_job(
            session,
            video,
            wish.filename,
            wish.parameters,
            chunk_windows=settings.chunk_windows,
            priority=wish.priority,
        )
        return video.id, jobs.open_hints(session, job, settings.job_parallelism)
