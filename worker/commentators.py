"""Opens the commentator of a worker by the name that jobs and the setting COMMENTATOR use."""

from models.parameters import COMMENTATORS
from settings import BadSetting, Settings
from worker.commentator import Commentator


def open_commentator(settings: Settings) -> Commentator:
    """Load its networks, once per process; raise BadSetting for a name that nobody bears."""
    if settings.commentator not in COMMENTATORS:
        raise BadSetting(
            f"COMMENTATOR must be {' or '.join(COMMENTATORS)}, not {settings.commentator!r}."
        )
    from worker.builtin import open_builtin  # slow to import, and of no use to beat

    return open_builtin(settings.worker_threads)
