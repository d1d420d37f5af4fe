"""Domain types of webhooks: endpoints of subscribers, deliveries of events to them, and attempts at deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

CIRCUIT_FAILURES = 10  # in a row; from then on the circuit of an endpoint is open, except for one attempt a minute
PING = "endpoint.ping"  # the type of the message that an endpoint has to answer before it becomes active


class EndpointState(StrEnum):
    """State of an endpoint: events are recorded for active and paused ones, and sent to active ones."""

    UNVERIFIED = "unverified"
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    DELETED = "deleted"


class EndpointScope(StrEnum):
    """Whose events an endpoint receives: its owner's, or everyone's, which administrators alone may ask for."""

    OWN = "own"
    ALL = "all"


class DeliveryState(StrEnum):
    """State of a delivery; a `void` one was not sent, because its event was not true any more."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    VOID = "void"


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointHealth:
    """The failures of an endpoint in a row, since when, and what followed from them."""

    failures: int = 0
    failing_since: datetime | None = None
    warned_at: datetime | None = None
    circuit_until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An endpoint. Without `types` it receives events of all types; with `ordered`, those of a subject in their order.

    With `moderation` it is that of a service that decides about photos.

    `secrets` sign messages, the newest first; the one before it signs until `previous_until`.
    """

    id: int
    owner_id: int
    url: str
    description: str
    types: tuple[str, ...]
    scope: EndpointScope
    ordered: bool
    moderation: bool
    state: EndpointState
    reason: str | None
    secrets: tuple[str, ...]
    previous_until: datetime | None
    health: EndpointHealth
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookEvent:
    """An event for endpoints: the ids from which its payload is built, and the subject for its order."""

    id: UUID
    type: str
    subject_id: int
    fields: Mapping[str, Any]
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A claimed delivery; `attempts` were made before, and the worker has it until `leased_until`."""

    endpoint_id: int
    event_id: UUID
    type: str
    fields: Mapping[str, Any]
    occurred_at: datetime
    attempts: int
    leased_until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """An attempt at a delivery. `status` is None, and `error` is set, if there was no response.

    `response` is the beginning of the response's body as text.
    """

    id: int
    endpoint_id: int
    event_id: UUID
    type: str
    number: int
    outcome: str
    status: int | None
    error: str | None
    milliseconds: int
    request_headers: Mapping[str, str]
    response: str
    created_at: datetime


def message_id(event_id: UUID) -> str:
    """Return the id of an event in messages, the same in all attempts and for all endpoints."""
    return f"msg_{event_id.hex}"
