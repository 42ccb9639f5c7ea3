"""Webhooks, and what was sent to them."""

from typing import NotRequired, TypedDict


class WebhookWish(TypedDict):
    url: str
    events: NotRequired[list[str]]  # all, unless told


class WebhookChange(TypedDict):
    url: NotRequired[str]
    events: NotRequired[list[str]]
    enabled: NotRequired[bool]


class WebhookShape(TypedDict):
    id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_ms: int | None
    disabled_reason: str | None
    created_ms: int
    delivered_ms: int | None  # when it last took a message


class WebhookSecretShape(WebhookShape):
    secret: str  # told only when it is made


class WebhookListShape(TypedDict):
    webhooks: list[WebhookShape]


class AttemptShape(TypedDict):
    at_ms: int
    status: int | None  # of the receiver's answer
    error: str | None  # why none came
    took_ms: int


class DeliveryShape(TypedDict):
    """A message to a webhook."""

    id: str  # as in its header webhook-id
    event: str
    job: str
    state: str  # "waiting", "delivered" or "failed"
    created_ms: int
    next_ms: int | None  # when it is sent again
    body: str  # as it is sent
    attempts: list[AttemptShape]  # the newest last


class DeliveryListShape(TypedDict):
    deliveries: list[DeliveryShape]
    next: str | None  # pass it as `before` to go on
