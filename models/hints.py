"""The messages between web and workers. A message is only a hint that rows hold work.

It may be lost, doubled or late: the store decides what is done, and the sweep sends what is missing.
"""

import logging
from urllib.parse import parse_qs, urlsplit

from celery import Celery
from kombu.exceptions import OperationalError
from prometheus_client import Counter
from redis.exceptions import RedisError

from models.jobs import Hints
from telemetry.registry import REGISTRY

ADVANCE = "advance"
SWEEP = "sweep"
REMOVE_ORPHANS = "remove-orphans"
REMOVE_OLD_MEDIA = "remove-old-media"
SWEEP_QUEUE = "sweep"

BROKER_AWAY = (OperationalError, RedisError, OSError)
"""What a broker that can't be reached raises."""

_ANSWER_S = 3.0  # a broker that is frozen, or whose host is gone, is away after

_SENT = Counter("reelnotes_hints_sent", "Hints sent to workers.", registry=REGISTRY)
_UNSENT = Counter(
    "reelnotes_hints_unsent",
    "Times that hints couldn't be sent because the broker was away; the sweep sends them later.",
    registry=REGISTRY,
)

log = logging.getLogger(__name__)


def queue_of(commentator: str) -> str:
    """Return the queue that the workers of a commentator listen to."""
    return f"comment.{commentator}"


def connect(redis_url: str) -> Celery:
    """Return Celery's client for the broker; nothing is sent or opened yet."""
    app = Celery("reelnotes", broker=_celery_url(redis_url), set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # a broker whose disk is full takes commands again later
        broker_transport_options={
            **{"socket_connect_timeout": 2, "socket_timeout": _ANSWER_S},
            "visibility_timeout": 12 * 3600,
        },
        task_publish_retry=False,
        task_create_missing_queues=True,
        worker_send_task_events=False,
    )
    return app


def send_hints(app: Celery, hints: Hints) -> None:
    """Tell workers of a job's free chunks. A broker that is down costs time, not work: the sweep tells later."""
    if not hints.count:
        return
    try:
        with app.producer_or_acquire() as producer:  # redis-py mends a connection that was kept
            if not producer.connection.connected:
                producer.connection.connect()  # gives up sooner than sending does
            for _ in range(hints.count):
                app.send_task(
                    ADVANCE,
                    args=(hints.job_id, hints.epoch),
                    queue=queue_of(hints.commentator),
                    producer=producer,
                )
                _SENT.inc()
    except BROKER_AWAY as error:
        _UNSENT.inc()
        log.warning("hints not sent, the sweep will job_id=%s reason=%s", hints.job_id, error)


def waiting_hints(app: Celery, commentator: str) -> int:
    """Count the messages that wait in a commentator's queue. Raises BROKER_AWAY."""
    with app.connection_for_read() as connection:
        connection.connect()  # gives up sooner than the channel does
        channel = connection.default_channel
        return int(channel.queue_declare(queue_of(commentator)).message_count)


def answers(app: Celery, host: str) -> bool:
    """Tell whether a worker or beat on a host answers over the broker."""
    try:
        heard = app.control.ping(timeout=_ANSWER_S, limit=1, pattern=f"*@{host}", matcher="glob")
    except BROKER_AWAY:
        return False
    return bool(heard)


def check_broker(app: Celery) -> None:
    """Raise one of BROKER_AWAY if the broker doesn't answer."""
    with app.connection_for_write() as connection, connection.channel() as channel:
        channel.client.ping()


def _celery_url(redis_url: str) -> str:
    """Spell redis-py's unix:///path?db=0 as Celery wants it."""
    address = urlsplit(redis_url)
    if address.scheme != "unix":
        return redis_url
    db = parse_qs(address.query).get("db", ["0"])[0]
    return f"redis+socket://{address.path}?virtual_host={db}"
