"""Whether this server lives, and whether it can do its work: for whoever supervises it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from flask import Blueprint, Flask, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from models import job_lists
from models.errors import StoreBusy
from models.hints import BROKER_AWAY, check_broker
from telemetry.registry import our_version
from web.shapes import HealthShape, ReadyShape
from web.site import Site

bp = Blueprint("health", __name__, url_prefix="/api")

_PATIENCE_S = 3.0  # for a part that doesn't answer


@bp.get("/health")
def health() -> Response:
    """Tell that requests are answered, whatever else is away."""
    return jsonify(HealthShape(status="ok", version=our_version()))


@bp.get("/ready")
def ready() -> Response:
    """Tell that store, broker and media folder can be used; 503 names the first that can't."""
    for part in _parts():
        try:
            part.ask()
        except (StoreBusy, SQLAlchemyError, *BROKER_AWAY) as error:
            raise StoreBusy(f"Not ready: the {part.name} can't be used just now.") from error
    return jsonify(ReadyShape(status="ready"))


class Part:
    """Something that may hang, so it is asked in a thread of its own: one, however many want to know."""

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        self.name = name
        self._check = check
        self._lock = threading.Lock()
        self._answer: Future[None] = Future()
        self._answer.set_result(None)

    def ask(self) -> None:
        """Raise what the check raises, or TimeoutError."""
        with self._lock:
            if self._answer.done():
                self._answer = Future()
                threading.Thread(target=self._look, args=(self._answer,), daemon=True).start()
            answer = self._answer
        answer.result(_PATIENCE_S)

    def _look(self, answer: "Future[None]") -> None:
        try:
            self._check()
        except BaseException as error:  # noqa: BLE001 (who asks raises it)
            answer.set_exception(error)
        else:
            answer.set_result(None)


def install(app: Flask) -> None:
    """Say what makes this server ready; the app's parts must have been made."""
    here: Site = app.extensions["reelnotes"]
    app.extensions["reelnotes-parts"] = (
        Part("store", lambda: _use_store(here)),
        Part("broker", lambda: check_broker(here.celery)),
        Part(here.media.storage.place, here.media.check),
    )


def _parts() -> tuple[Part, ...]:
    parts: tuple[Part, ...] = current_app.extensions["reelnotes-parts"]
    return parts


def _use_store(here: Site) -> None:
    with here.store.read() as session:
        job_lists.count_jobs(session)
