"""The JSON API for webhooks: who is told of jobs' ends, and what became of each message."""

from typing import Any
from urllib.parse import SplitResult, urlsplit

from flask import Blueprint, Response, jsonify, request, url_for

from models import webhooks
from models.errors import InvalidRequest
from models.outbound import Hosts, NotAllowed, hosts_of_webhooks
from models.paging import next_place
from models.tables import Delivery, DeliveryState, Webhook
from models.webhooks import Event
from web.query import choice, place, whole_number
from web.shapes import (
    AttemptShape,
    DeliveryListShape,
    DeliveryShape,
    WebhookListShape,
    WebhookSecretShape,
    WebhookShape,
)
from web.site import site

LONGEST_URL = 2000  # characters

bp = Blueprint("webhooks", __name__, url_prefix="/api/webhooks")

DELIVERIES_A_PAGE = 50
MOST_DELIVERIES = 200


@bp.get("")
def index() -> Response:
    """List the webhooks, the newest first."""
    with site().store.read() as session:
        rows = webhooks.list_webhooks(session)
    return jsonify(WebhookListShape(webhooks=[_shape(row) for row in rows]))


@bp.post("")
def add() -> tuple[Response, int, dict[str, str]]:
    """Register an address; the answer holds its secret, which is not told again."""
    wish = _wish({"url"}, {"events"})
    with site().store.write() as session:
        row = webhooks.add_webhook(session, wish["url"], wish.get("events", list(Event)))
    location = url_for(".show", webhook_id=row.id)
    return jsonify(_with_secret(row)), 201, {"Location": location}


@bp.get("/<id:webhook_id>")
def show(webhook_id: str) -> Response:
    """Tell of one webhook."""
    with site().store.read() as session:
        return jsonify(_shape(webhooks.get_webhook(session, webhook_id)))


@bp.patch("/<id:webhook_id>")
def change(webhook_id: str) -> Response:
    """Change its address or events, switch it off or on again."""
    wish = _wish(set(), {"url", "events", "enabled"})
    with site().store.write() as session:
        row = webhooks.get_webhook(session, webhook_id)
        webhooks.change_webhook(row, wish.get("url"), wish.get("events"), wish.get("enabled"))
    return jsonify(_shape(row))


@bp.delete("/<id:webhook_id>")
def remove(webhook_id: str) -> tuple[str, int]:
    """Delete a webhook with what it was not told yet."""
    with site().store.write() as session:
        webhooks.remove_webhook(session, webhook_id)
    return "", 204


@bp.post("/<id:webhook_id>/secret")
def rotate(webhook_id: str) -> Response:
    """Make a new secret; for a day messages are signed with the old one as well."""
    with site().store.write() as session:
        row = webhooks.get_webhook(session, webhook_id)
        webhooks.rotate_secret(row)
    return jsonify(_with_secret(row))


@bp.get("/<id:webhook_id>/deliveries")
def deliveries(webhook_id: str) -> Response:
    """List what a webhook was told or is to be told, newest first, with every attempt."""
    limit = whole_number("limit", DELIVERIES_A_PAGE, 1, MOST_DELIVERIES)
    state, event = choice("state", DeliveryState), choice("event", Event)
    before = place()
    with site().store.read() as session:
        webhooks.get_webhook(session, webhook_id)
        rows = webhooks.list_deliveries(
            session,
            webhook_id,
            limit=limit + 1,
            before=before,
            state=DeliveryState(state) if state else None,
            event=event,
        )
    answer = DeliveryListShape(
        deliveries=[_delivery_shape(row) for row in rows[:limit]],
        next=next_place(rows, limit),
    )
    return jsonify(answer)


@bp.post("/<id:webhook_id>/deliveries/<id:delivery_id>/redeliver")
def redeliver(webhook_id: str, delivery_id: str) -> tuple[Response, int]:
    """Send a delivery again at once, under the same id."""
    with site().store.write() as session:
        row = webhooks.redeliver(session, webhook_id, delivery_id)
    return jsonify(_delivery_shape(row)), 202


def _wish(required: set[str], optional: set[str]) -> dict[str, Any]:
    wish = request.get_json()
    fits = (
        isinstance(wish, dict)
        and required <= set(wish) <= required | optional
        and isinstance(wish.get("url", ""), str)
        and isinstance(wish.get("events", []), list)
        and all(isinstance(event, str) for event in wish.get("events", []))
        and isinstance(wish.get("enabled", True), bool)
    )
    if not fits:
        raise InvalidRequest(
            'Send {"url": "https://…", "events": ["job.done", …]}; a change may also hold {"enabled": true}.'
        )
    if "url" in wish:
        _check_url(wish["url"], hosts_of_webhooks(site().settings))
    return dict(wish)


def _check_url(url: str, hosts: Hosts) -> None:
    """Refuse what can't be sent to; a name is judged when it is looked up. Raises InvalidRequest."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest("A webhook's url is an address such as https://example.org/hook.")
    if parts.username is not None or parts.fragment or len(url) > LONGEST_URL:
        raise InvalidRequest(
            f"A webhook's url has no password, no fragment and at most {LONGEST_URL} characters."
        )
    try:
        hosts.check_written(parts.hostname)
    except NotAllowed as refusal:
        raise InvalidRequest(str(refusal)) from None


def _split(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (it raises)
    except ValueError:
        return None
    return parts


def _shape(row: Webhook) -> WebhookShape:
    return WebhookShape(
        id=row.id,
        url=row.url,
        events=row.events,
        enabled=row.disabled_ms is None,
        disabled_ms=row.disabled_ms,
        disabled_reason=row.disabled_reason,
        created_ms=row.created_ms,
        delivered_ms=row.delivered_ms,
    )


def _with_secret(row: Webhook) -> WebhookSecretShape:
    return {**_shape(row), "secret": row.secret}


def _delivery_shape(row: Delivery) -> DeliveryShape:
    return DeliveryShape(
        id=row.id,
        event=row.event,
        job=row.job_id,
        state=row.state.value,
        created_ms=row.created_ms,
        next_ms=row.due_ms,
        body=row.body,
        attempts=[
            AttemptShape(
                at_ms=attempt["at_ms"],
                status=attempt["status"],
                error=attempt["error"],
                took_ms=attempt["took_ms"],
            )
            for attempt in row.attempts
        ],
    )
