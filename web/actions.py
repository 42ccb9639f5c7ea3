"""What can be done to a job, one or many: the rows, then whoever must be told."""

import logging
from collections.abc import Callable

from sqlalchemy.orm import Session

from models import jobs
from models.errors import DiskFull, MediaAway
from models.hints import send_hints
from models.tables import Job
from models.videos import remove_video_without_jobs, video_of_no_other_job
from web.site import Site

log = logging.getLogger(__name__)


def cancel(here: Site, job_id: str) -> None:
    change(here, lambda session: jobs.cancel(session, job_id))


def pause(here: Site, job_id: str) -> None:
    change(here, lambda session: jobs.pause(session, job_id))


def resume(here: Site, job_id: str) -> None:
    queue(here, lambda session: jobs.resume(session, job_id))


def retry(here: Site, job_id: str) -> None:
    queue(here, lambda session: jobs.retry(session, job_id))


def delete(here: Site, job_id: str) -> None:
    """Delete a job with all that was said, and its video unless another job uses it."""
    try:
        unused = _delete_rows(here, job_id)
    except DiskFull:  # rows take room even to be deleted: the files that go with them give it
        with here.store.read() as session:
            only_its_own = video_of_no_other_job(session, job_id)
        _remove_files(here, job_id, only_its_own)
        unused = _delete_rows(here, job_id)
    _remove_files(here, job_id, unused)


def _delete_rows(here: Site, job_id: str) -> str | None:
    """Return the id of the job's video if no other job uses it."""
    with here.store.write() as session:
        video_id = jobs.delete_job(session, job_id)
        return video_id if remove_video_without_jobs(session, video_id) else None


def _remove_files(here: Site, job_id: str, video_id: str | None) -> None:
    try:
        here.media.remove_stills(job_id)
        here.media.remove_renders(job_id)
        if video_id is not None:
            here.media.remove_video(video_id)
    except MediaAway as error:  # the job is deleted all the same
        log.warning("files left for the sweep job_id=%s reason=%s", job_id, error)


def change(here: Site, wish: Callable[[Session], Job]) -> str:
    """Change a job; return its id."""
    with here.store.write() as session:
        return wish(session).id


def queue(here: Site, wish: Callable[[Session], Job]) -> str:
    """Make or change a job that is queued then; the workers are told once that is committed."""
    with here.store.write() as session:
        hints = jobs.open_hints(session, wish(session), here.settings.job_parallelism)
    send_hints(here.celery, hints)
    return hints.job_id


ACTIONS: dict[str, Callable[[Site, str], None]] = {
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
    "retry": retry,
    "delete": delete,
}
