"""Webhooks: who is told of jobs' ends, and what is still to be told.

    waiting ──▶ delivered
       └──────▶ failed, after the last attempt

A delivery is written in the transaction that ends the job, so neither is there without the other. It is
sent at least once, always under its own id. Signatures are those of standardwebhooks.com. A job is done
once: what is added to it afterwards ends untold.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from models.clock import now_ms
from models.errors import Conflict, InvalidRequest, NotFound
from models.ids import is_id
from models.paging import Place, behind, newest_first
from models.tables import Delivery, DeliveryState, Job, Webhook

MOST_WEBHOOKS = 50
LEASE_MS = 120_000  # an attempt that nobody has reported by then is made again
OLD_SECRET_MS = 24 * 3600 * 1000  # after a new one was made
KEPT_MS = 30 * 24 * 3600 * 1000  # of deliveries that have ended
MOST_ATTEMPTS_TOLD = 30

_MINUTE, _HOUR = 60, 3600
RETRY_S = (5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)  # fmt: skip
"""Seconds from a failed attempt to the next: ten attempts in a little more than three days."""

GONE = 410  # the receiver's word that it wants nothing more


class Event(StrEnum):
    DONE = "job.done"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery that is to be sent now."""

    id: str
    webhook_id: str
    url: str
    secrets: tuple[str, ...]
    body: str
    round: int  # which attempt this is, from 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """How sending went; without a status nothing answered, and `error` says why."""

    status: int | None
    error: str | None
    took_ms: int

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def note_end(session: Session, job: Job) -> None:
    """Write what is to be told of a job that ends in this transaction."""
    event = f"job.{job.state.value}"
    hooks = session.scalars(
        select(Webhook)
        .where(Webhook.disabled_ms.is_(None))
        .with_for_update(read=True, key_share=True)  # nobody deletes it meanwhile: the job must end
    ).all()
    now = now_ms()
    for hook in hooks:
        if event in hook.events:
            session.add(
                Delivery(
                    webhook_id=hook.id,
                    event=event,
                    job_id=job.id,
                    body=_body(event, job, now),
                    created_ms=now,
                    state=DeliveryState.WAITING,
                    round=0,
                    due_ms=now,
                    attempts=[],
                )
            )


def _body(event: str, job: Job, now: int) -> str:
    failure = None
    if job.failure_kind is not None:
        failure = {
            "kind": job.failure_kind,
            "message": job.failure_text,
            "window": job.failure_window,
        }
    data = {
        "id": job.id,
        "filename": job.filename,
        "state": job.state.value,
        "commentator": job.commentator,
        "created_ms": job.created_ms,
        "finished_ms": job.finished_ms,
        "failure": failure,
        "job": f"/api/jobs/{job.id}",
    }
    moment = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"type": event, "timestamp": moment, "data": data}, ensure_ascii=True)


def new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def sign(secret: str, message_id: str, timestamp_s: int, body: str) -> str:
    """Return one signature of the header `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp_s}.{body}".encode()
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def add_webhook(session: Session, url: str, events: Collection[str]) -> Webhook:
    """Register an address that was checked. Raises InvalidRequest and Conflict."""
    if (session.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST_WEBHOOKS:
        raise Conflict(f"There are {MOST_WEBHOOKS} webhooks already: delete one first.")
    hook = Webhook(url=url, events=_events(events), secret=new_secret(), created_ms=now_ms())
    session.add(hook)
    session.flush()
    return hook


def get_webhook(session: Session, webhook_id: str) -> Webhook:
    hook = session.get(Webhook, webhook_id) if is_id(webhook_id) else None
    if hook is None:
        raise NotFound(f"There is no webhook {webhook_id[:40]!r}.")
    return hook


def list_webhooks(session: Session) -> Sequence[Webhook]:
    """Return all, the newest first."""
    return session.scalars(
        select(Webhook).order_by(Webhook.created_ms.desc(), Webhook.id.desc())
    ).all()


def change_webhook(
    hook: Webhook,
    url: str | None = None,
    events: Collection[str] | None = None,
    enabled: bool | None = None,
) -> None:
    """Change what is given. Enabled again, it gets what was still waiting for it. Raises InvalidRequest."""
    if url is not None:
        hook.url = url
    if events is not None:
        hook.events = _events(events)
    if enabled is True:
        hook.disabled_ms = hook.disabled_reason = None
    elif enabled is False and hook.disabled_ms is None:
        hook.disabled_ms, hook.disabled_reason = now_ms(), "It was switched off."


def rotate_secret(hook: Webhook) -> None:
    """Make a new secret; the one before signs beside it for a day, so that receivers can change over."""
    hook.old_secret, hook.old_until_ms = hook.secret, now_ms() + OLD_SECRET_MS
    hook.secret = new_secret()


def remove_webhook(session: Session, webhook_id: str) -> None:
    """Delete it with its deliveries. Raises NotFound."""
    get_webhook(session, webhook_id)
    session.execute(delete(Delivery).where(Delivery.webhook_id == webhook_id))
    session.execute(delete(Webhook).where(Webhook.id == webhook_id))


def _events(wanted: Collection[str]) -> list[str]:
    if not wanted or set(wanted) - set(Event):
        raise InvalidRequest(f"`events` is a list of one or more of {', '.join(Event)}.")
    return [event.value for event in Event if event in wanted]


def get_delivery(session: Session, webhook_id: str, delivery_id: str) -> Delivery:
    row = session.get(Delivery, delivery_id) if is_id(delivery_id) else None
    if row is None or row.webhook_id != webhook_id:
        raise NotFound(f"There is no delivery {delivery_id[:40]!r} of this webhook.")
    return row


def list_deliveries(
    session: Session,
    webhook_id: str,
    *,
    limit: int,
    before: Place | None = None,
    state: DeliveryState | None = None,
    event: str | None = None,
) -> Sequence[Delivery]:
    """Return a webhook's deliveries, newest first; `before` continues a list behind that place."""
    statement = select(Delivery).where(Delivery.webhook_id == webhook_id, *behind(Delivery, before))
    if state is not None:
        statement = statement.where(Delivery.state == state)
    if event is not None:
        statement = statement.where(Delivery.event == event)
    return session.scalars(statement.order_by(*newest_first(Delivery)).limit(limit)).all()


def redeliver(session: Session, webhook_id: str, delivery_id: str) -> Delivery:
    """Have a delivery sent at once, under the same id, whatever became of it. Raises NotFound, Conflict."""
    if get_webhook(session, webhook_id).disabled_ms is not None:
        raise Conflict("This webhook is disabled: enable it first.")
    row = get_delivery(session, webhook_id, delivery_id)
    row.state, row.round, row.due_ms = DeliveryState.WAITING, 0, now_ms()
    return row


def webhooks_due(session: Session) -> Sequence[str]:
    """Return the ids of the webhooks for which something is due."""
    return session.scalars(
        select(Webhook.id).where(
            Webhook.disabled_ms.is_(None),
            Webhook.id.in_(select(Delivery.webhook_id).where(Delivery.due_ms <= now_ms())),
        )
    ).all()


def claim_due(session: Session, webhook_id: str) -> Message | None:
    """Take on the delivery that is due for longest; unless it is reported, it is due again after LEASE_MS."""
    now = now_ms()
    hook = session.get(Webhook, webhook_id)
    if hook is None or hook.disabled_ms is not None:
        return None
    row = session.scalar(
        select(Delivery)
        .where(Delivery.webhook_id == webhook_id, Delivery.due_ms <= now)
        .order_by(Delivery.due_ms, Delivery.created_ms)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    row.round += 1
    row.due_ms = now + LEASE_MS
    still_good = hook.old_secret is not None and (hook.old_until_ms or 0) > now
    keys = (hook.secret, hook.old_secret or "") if still_good else (hook.secret,)
    return Message(row.id, hook.id, hook.url, keys, row.body, row.round)


def report(session: Session, message: Message, attempt: Attempt) -> None:
    """Note how an attempt went, and when the next one is due, if any."""
    row = session.scalar(
        select(Delivery)
        .where(Delivery.id == message.id, Delivery.round == message.round)
        .with_for_update()
    )
    if row is None:  # deleted, or taken on by somebody else meanwhile
        return
    now = now_ms()
    told = {
        "at_ms": now,
        "status": attempt.status,
        "error": attempt.error,
        "took_ms": attempt.took_ms,
    }
    row.attempts = [*row.attempts, told][-MOST_ATTEMPTS_TOLD:]
    if attempt.is_success:
        row.state, row.due_ms = DeliveryState.DELIVERED, None
        session.execute(
            update(Webhook).where(Webhook.id == message.webhook_id).values(delivered_ms=now)
        )
    elif attempt.status == GONE:
        row.state, row.due_ms = DeliveryState.FAILED, None
        _disable(session, message.webhook_id, "Its receiver answered 410: it wants nothing more.")
    elif message.round > len(RETRY_S):
        row.state, row.due_ms = DeliveryState.FAILED, None
        hook = session.get_one(Webhook, message.webhook_id)
        if (hook.delivered_ms or 0) < row.created_ms:
            days = round(sum(RETRY_S) / 86400, 1)
            _disable(
                session,
                message.webhook_id,
                f"Nothing could be delivered for {days} days; last: {attempt.error or attempt.status}.",
            )
    else:
        row.due_ms = now + RETRY_S[message.round - 1] * 1000


def _disable(session: Session, webhook_id: str, reason: str) -> None:
    session.execute(
        update(Webhook)
        .where(Webhook.id == webhook_id, Webhook.disabled_ms.is_(None))
        .values(disabled_ms=now_ms(), disabled_reason=reason)
    )


def forget_old(session: Session) -> None:
    """Delete deliveries that ended long ago."""
    session.execute(
        delete(Delivery).where(
            Delivery.state != DeliveryState.WAITING, Delivery.created_ms < now_ms() - KEPT_MS
        )
    )
