"""The clip that the first page of a new installation shows being commented."""

from pathlib import Path

from serve.child import Program
from serve.programs import reelnotes
from settings import Settings

SAMPLE = Path(__file__).parents[1] / "samples" / "bikes.mp4"


def welcome(settings: Settings) -> Program | None:
    """Return the errand that submits the sample, once in a data folder's life, to an empty store."""
    mark = settings.data_dir / "welcomed"
    if mark.exists():
        return None
    mark.touch()
    if not SAMPLE.is_file() or _any_jobs(settings.store_url):
        return None
    return Program("sample", reelnotes("submit", str(SAMPLE)), once=True)


def _any_jobs(store_url: str) -> bool:
    # Once in a folder's life: all else that supervises does without SQLAlchemy, its time and its 40 MiB.
    from models.job_lists import count_jobs
    from models.store import Store

    store = Store.open(store_url)
    try:
        with store.read() as session:
            return bool(count_jobs(session))
    finally:
        store.engine.dispose()
