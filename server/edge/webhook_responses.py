"""Models of response bodies about webhooks.

The JSON of an attempt is made by `storage.render`, because it is also published. Its model here is documentation.
"""

from __future__ import annotations

from typing import Any

from server.edge.responses import Id, ResponseModel, Time
from storage.ids import encode
from storage.render.timestamps import timestamp
from storage.webhooks import Endpoint, EndpointScope, EndpointState
from workers.webhooks.signing import Scheme, public_key, scheme_of


class WebhookResponse(ResponseModel):
    """A webhook. It gets events while it is `active`; while it is `paused`, they are kept for it.

    `public_key` verifies messages that are signed by ed25519. `failures` are those in a row, since `failing_since`.
    Until `paused_until` nothing is sent, because too many messages have failed. Until `previous_secret_until` messages
    are signed with the secret before, too.
    """

    id: Id
    url: str
    description: str
    types: list[str]
    scope: EndpointScope
    ordered: bool
    moderation: bool
    state: EndpointState
    reason: str | None
    signing: Scheme
    public_key: str | None
    previous_secret_until: Time | None
    failures: int
    failing_since: Time | None
    paused_until: Time | None
    created_at: Time

    @classmethod
    def from_model(cls, endpoint: Endpoint) -> WebhookResponse:
        """Return the response for an endpoint."""
        return cls(**webhook_fields(endpoint))


class NewSecretResponse(WebhookResponse):
    """A webhook with a new secret, which is shown this once; null for ed25519, whose public key is all you need."""

    secret: str | None

    @classmethod
    def from_model(cls, endpoint: Endpoint) -> NewSecretResponse:
        """Return the response for an endpoint whose secret is new."""
        secret = endpoint.secrets[0]
        return cls(**webhook_fields(endpoint), secret=secret if scheme_of(secret) is Scheme.HMAC else None)


class WebhooksResponse(ResponseModel):
    """All webhooks of the viewer, oldest first."""

    items: list[WebhookResponse]
    next: None = None


class AttemptResponse(ResponseModel):
    """An attempt at sending a message, which has the same `message_id` in all attempts.

    `outcome` is `delivered`, `failed` or `gone`. `status` is that of the response; it is null, and `error` says why, if
    there was none. `response` is the beginning of its body.
    """

    id: Id
    message_id: str
    type: str
    number: int
    outcome: str
    status: int | None
    error: str | None
    duration_ms: int
    request_headers: dict[str, str]
    response: str
    created_at: Time


class ReplayResponse(ResponseModel):
    """How many messages are sent again; with `more`, repeat the request later for the others."""

    replayed: int
    more: bool


class EventTypeResponse(ResponseModel):
    """A type of events, and the JSON schema of their messages."""

    type: str
    description: str
    json_schema: dict[str, Any]


class EventTypesResponse(ResponseModel):
    """All types of events that webhooks can get."""

    items: list[EventTypeResponse]
    next: None = None


def webhook_fields(endpoint: Endpoint) -> dict[str, Any]:
    """Return the fields of an endpoint, without its secrets."""
    health, secret = endpoint.health, endpoint.secrets[0]
    return {
        "id": encode(endpoint.id),
        "url": endpoint.url,
        "description": endpoint.description,
        "types": list(endpoint.types),
        "scope": endpoint.scope,
        "ordered": endpoint.ordered,
        "moderation": endpoint.moderation,
        "state": endpoint.state,
        "reason": endpoint.reason,
        "signing": scheme_of(secret),
        "public_key": public_key(secret),
        "previous_secret_until": None if endpoint.previous_until is None else timestamp(endpoint.previous_until),
        "failures": health.failures,
        "failing_since": None if health.failing_since is None else timestamp(health.failing_since),
        "paused_until": None if health.circuit_until is None else timestamp(health.circuit_until),
        "created_at": timestamp(endpoint.created_at),
    }
