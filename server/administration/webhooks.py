"""What the commands about webhooks do: list them with their attempts, and disable one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from server.administration.commands import open_database
from server.config.settings import Settings
from server.errors import InputError
from storage import ids
from storage.errors import NotFoundError
from storage.events import WebhookNoticed
from storage.stores import account_lists
from storage.stores.accounts import users
from storage.stores.webhooks import webhook_attempts, webhook_endpoints
from storage.webhooks import Endpoint, EndpointScope, message_id


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRow:
    """A webhook in a list; `everything` if it gets the events of all users."""

    id: str
    owner: str
    url: str
    state: str
    events: str
    everything: bool
    failures: int
    failing_since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRow:
    """An attempt in a list."""

    created_at: datetime
    type: str
    message_id: str
    number: int
    outcome: str
    status: int | None
    milliseconds: int
    error: str | None


async def find(settings: Settings, username: str | None, limit: int) -> list[WebhookRow]:
    """Return the webhooks of an account, or with None those that fail or are disabled; raise `NotFoundError`."""
    async with open_database(settings) as db:
        if username is None:
            found = await webhook_endpoints.failing(db, limit=limit)
        else:
            owner = await users.find(db, username)
            found = (await webhook_endpoints.of_owner(db, owner.id))[:limit]
        owners = await account_lists.summaries(db, {endpoint.owner_id for endpoint in found})
    return [_row_of(one, owners[one.owner_id].username) for one in found if one.owner_id in owners]


async def attempts(settings: Settings, webhook: str, limit: int) -> list[AttemptRow]:
    """Return the newest attempts at a webhook; raise `InputError` for a text that is no id."""
    endpoint_id = _id_of(webhook)
    async with open_database(settings) as db:
        found = await webhook_attempts.page(db, endpoint_id, before=None, limit=limit)
    return [
        AttemptRow(
            created_at=one.created_at,
            type=one.type,
            message_id=message_id(one.event_id),
            number=one.number,
            outcome=one.outcome,
            status=one.status,
            milliseconds=one.milliseconds,
            error=one.error,
        )
        for one in found
    ]


async def disable(settings: Settings, webhook: str, reason: str) -> str:
    """Disable a webhook, notify its owner, and return its URL; raise `InputError`, `NotFoundError("webhook")`."""
    endpoint_id = _id_of(webhook)
    async with open_database(settings) as db, db.transaction() as tx:
        disabled = await webhook_endpoints.disable(tx, endpoint_id, reason=reason)
        if disabled is None:
            raise NotFoundError("webhook")
        tx.emit(WebhookNoticed(endpoint_id=disabled.id, owner_id=disabled.owner_id, disabled=True))
        return disabled.url


def _id_of(text: str) -> int:
    try:
        return ids.decode(text)
    except ids.BadIdError as error:
        raise InputError(str(error)) from error


def _row_of(endpoint: Endpoint, owner: str) -> WebhookRow:
    return WebhookRow(
        id=ids.encode(endpoint.id),
        owner=owner,
        url=endpoint.url,
        state=endpoint.state,
        events=", ".join(endpoint.types) or "all",
        everything=endpoint.scope is EndpointScope.ALL,
        failures=endpoint.health.failures,
        failing_since=endpoint.health.failing_since,
    )
