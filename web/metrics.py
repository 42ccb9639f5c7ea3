"""What Prometheus reads here: what this process counts, and what the store and the broker say just now.

Those are no process's own; so web alone tells them. Several web processes tell the same: what is asked
for is the maximum.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, request
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from models import activity, job_lists, workers
from models.errors import FAILURES, StoreBusy
from models.hints import BROKER_AWAY, waiting_hints
from models.tables import JobState
from telemetry.registry import REGISTRY
from web.site import Site, site

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def show() -> Response:
    """Tell the metrics, in the form of Prometheus or OpenMetrics, as is asked for."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(_Everything(site())), content_type=content_type)


@dataclass(frozen=True, slots=True)
class _Everything(Collector):
    site: Site

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        yield from _facts(self.site)


def _facts(here: Site) -> Iterator[Metric]:
    """Yield what can be known; what is away is said to be, and what it would tell is left out."""
    try:
        found = list(_of_store(here))
    except (StoreBusy, SQLAlchemyError):
        found = []
    yield GaugeMetricFamily(
        "reelnotes_store_up", "Whether the store answers.", value=1 if found else 0
    )
    yield from found
    try:
        waiting = {name: waiting_hints(here.celery, name) for name in here.settings.commentators}
    except BROKER_AWAY:
        waiting = {}
    yield GaugeMetricFamily(
        "reelnotes_broker_up", "Whether the broker answers.", value=1 if waiting else 0
    )
    yield _gauge("queue_hints", "Hints that wait in the broker.", "commentator", waiting)


def _of_store(here: Site) -> Iterator[Metric]:
    with here.store.read() as session:
        counts = job_lists.count_jobs(session)
        failures = job_lists.count_failures(session)
        waiting = {it.commentator: it for it in activity.queue(session)}
        age_ms = activity.oldest_age_ms(session)
        alive = workers.list_alive(session)
    names = sorted({*here.settings.commentators, *waiting, *(row.commentator for row in alive)})
    yield _gauge(
        "jobs", "Jobs in the store.", "state", {state: counts.get(state, 0) for state in JobState}
    )
    yield _gauge(
        "jobs_failed",
        "Jobs in the state failed, by the kind of their failure.",
        "kind",
        {kind: failures.get(kind, 0) for kind in FAILURES},
    )
    yield _gauge(
        "queue_jobs",
        "Queued and running jobs with windows to comment.",
        "commentator",
        {name: waiting[name].jobs if name in waiting else 0 for name in names},
    )
    yield _gauge(
        "queue_windows",
        "Windows that queued and running jobs lack.",
        "commentator",
        {name: waiting[name].windows if name in waiting else 0 for name in names},
    )
    yield GaugeMetricFamily(
        "reelnotes_queue_oldest_job_age_seconds",
        "Since the oldest queued job that nobody has begun was submitted; 0: there is none.",
        value=age_ms / 1000,
    )
    yield _gauge(
        "workers",
        "Worker processes that have reported within the last 30 seconds.",
        "commentator",
        {name: sum(row.commentator == name for row in alive) for name in names},
    )


def _gauge(name: str, meaning: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"reelnotes_{name}", meaning, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
