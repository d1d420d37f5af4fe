"""Manage endpoints of webhooks, verify them, and send messages again.

An endpoint receives nothing before it has returned the challenge of a ping, which proves that its receiver wants
messages. The messages themselves are sent by the worker "webhooks", pings too: only its processes send requests to
addresses of users.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from server.actions.live_permissions import at_once
from storage.errors import ConflictError
from storage.models import Role
from storage.postgres.database import Database, Transaction
from storage.stores.accounts import users
from storage.stores.webhooks import webhook_deliveries, webhook_endpoints
from storage.webhooks import Endpoint, EndpointScope, EndpointState
from workers.jobs.live.permissions import LivePermissions
from workers.outbound.policy import OutboundPolicy
from workers.outbound.resolving import Resolver
from workers.outbound.urls import check_url_resolves
from workers.webhooks.signing import Scheme, new_secret, scheme_of

QUOTA = "writes"
MAX_REPLAYED = 10_000  # messages of one request
KEPT = timedelta(days=30)  # a delivery at most
_BATCH = 1_000
_VERIFIED = {EndpointState.ACTIVE, EndpointState.PAUSED}


class Replayed(NamedTuple):
    """How many messages are sent again, and whether the request has left some of them out."""

    messages: int
    more: bool


class WebhookActions:
    """Changes of the viewer's endpoints; `policy` says which addresses they may have.

    All methods on an endpoint raise `NotFoundError("webhook")` for one of another user.
    """

    def __init__(
        self,
        db: Database,
        permissions: LivePermissions,
        policy: OutboundPolicy,
        resolver: Resolver,
        *,
        max_replayed: int = MAX_REPLAYED,
        batch: int = _BATCH,
    ) -> None:
        self._max_replayed = max_replayed
        self._batch = batch  # deliveries that one transaction looks at
        self._db = db
        self._permissions = permissions
        self._policy = policy
        self._resolver = resolver

    async def check_url(self, url: str) -> None:
        """Raise `UrlRefusedError` for a URL to which no message would be sent; asks a name server."""
        await check_url_resolves(url, self._policy, self._resolver)

    async def create(
        self,
        tx: Transaction,
        viewer_id: int,
        *,
        url: str,
        description: str,
        types: Sequence[str],
        scope: EndpointScope,
        ordered: bool,
        signing: Scheme,
        moderation: bool = False,
    ) -> Endpoint:
        """Create an endpoint at a checked URL, and send it a ping.

        Raises `ConflictError` too_many_webhooks, or webhook_scope unless an administrator asks for all events.
        """
        if moderation and scope is not EndpointScope.ALL:
            raise _needs_scope()
        if scope is EndpointScope.ALL and (await users.get(tx, viewer_id)).role is not Role.ADMIN:
            raise ConflictError("webhook_scope", "Only administrators receive the events of all users.", field="scope")
        endpoint = await webhook_endpoints.create(
            tx,
            owner_id=viewer_id,
            url=url,
            description=description,
            types=types,
            scope=scope,
            ordered=ordered,
            secret=new_secret(signing),
            moderation=moderation,
        )
        await _ping(tx, endpoint)
        return endpoint

    async def edit(
        self,
        viewer_id: int,
        endpoint_id: int,
        *,
        url: str | None = None,
        description: str | None = None,
        types: Sequence[str] | None = None,
        ordered: bool | None = None,
        state: EndpointState | None = None,
        moderation: bool | None = None,
    ) -> Endpoint:
        """Change what is not None. An endpoint with another URL, which is checked, is verified again.

        Raises `ConflictError` webhook_not_verified if one that is not verified is to be active or paused.
        """
        if url is not None:
            await self.check_url(url)
        async with self._db.transaction() as tx:
            current = await webhook_endpoints.lock(tx, endpoint_id, owner_id=viewer_id)
            if state is not None and current.state not in _VERIFIED:
                raise ConflictError(
                    "webhook_not_verified", "Send a ping first; the receiver has to return its challenge."
                )
            if moderation and current.scope is not EndpointScope.ALL:
                raise _needs_scope()
            moved = url is not None and url != current.url
            edited = await webhook_endpoints.edit(
                tx,
                endpoint_id,
                owner_id=viewer_id,
                url=url,
                description=description,
                types=types,
                ordered=ordered,
                state=EndpointState.UNVERIFIED if moved else state,
                moderation=moderation,
            )
            if moved:
                await _ping(tx, edited)
        return edited

    async def delete(self, viewer_id: int, endpoint_id: int) -> None:
        """Delete an endpoint; nothing more is sent to it."""
        async with self._db.transaction() as tx:
            await webhook_endpoints.delete(tx, endpoint_id, owner_id=viewer_id)
            # No worker repeats it: a subscription that is left receives nothing, since nothing more is sent.
            tx.on_commit(lambda: at_once(self._permissions.webhook_deleted(endpoint_id)))

    async def ping(self, viewer_id: int, endpoint_id: int) -> None:
        """Send a ping, whose challenge activates the endpoint; raise `ConflictError` webhook_in_progress."""
        async with self._db.transaction() as tx:
            endpoint = await webhook_endpoints.lock(tx, endpoint_id, owner_id=viewer_id)
            if await webhook_deliveries.has_waiting_ping(tx, endpoint_id):
                raise ConflictError("webhook_in_progress", "A ping is under way. Wait for its result.")
            await _ping(tx, endpoint)

    async def replace_secret(self, viewer_id: int, endpoint_id: int, *, signing: Scheme | None) -> Endpoint:
        """Make another secret, by the same scheme unless another is given; the present one signs for a day, too."""
        async with self._db.transaction() as tx:
            current = await webhook_endpoints.lock(tx, endpoint_id, owner_id=viewer_id)
            return await webhook_endpoints.replace_secret(
                tx, endpoint_id, owner_id=viewer_id, secret=new_secret(signing or scheme_of(current.secrets[0]))
            )

    async def replay_attempt(self, viewer_id: int, endpoint_id: int, attempt_id: int) -> None:
        """Send the message of an attempt again, with the same id.

        Raises `NotFoundError("attempt")`, and `ConflictError` webhook_not_verified, webhook_too_old or
        webhook_in_progress.
        """
        async with self._db.transaction() as tx:
            await _lock_verified(tx, viewer_id, endpoint_id)
            event_id = await webhook_deliveries.event_of_attempt(tx, attempt_id, endpoint_id=endpoint_id)
            await webhook_deliveries.replay(tx, endpoint_id, event_id)
            await webhook_deliveries.wake_locked(tx, endpoint_id)

    async def replay(
        self, viewer_id: int, endpoint_id: int, *, since: datetime | None, failed_only: bool, now: datetime
    ) -> Replayed:
        """Send messages of events since a time again, or only those that have failed, with the same ids.

        Those that were delivered more than a week ago are left out. Raises `ConflictError` webhook_not_verified.
        """
        place, replayed = None, 0
        since = max(since or now - KEPT, now - KEPT)
        while (left := self._max_replayed - replayed) > 0:
            # Batch by batch, so that the worker waits only briefly for the lock of the endpoint.
            async with self._db.transaction() as tx:
                await _lock_verified(tx, viewer_id, endpoint_id)
                number, place = await webhook_deliveries.replay_some(
                    tx, endpoint_id, since=since, after=place, failed_only=failed_only, limit=min(self._batch, left)
                )
                await webhook_deliveries.wake_locked(tx, endpoint_id)
            replayed += number
            if place is None:
                return Replayed(replayed, more=False)
        return Replayed(replayed, more=True)


def _needs_scope() -> ConflictError:
    detail = "A webhook decides about the photos of all users: create one with the scope all, as an administrator."
    return ConflictError("webhook_scope", detail, field="moderation")


async def _lock_verified(tx: Transaction, viewer_id: int, endpoint_id: int) -> None:
    endpoint = await webhook_endpoints.lock(tx, endpoint_id, owner_id=viewer_id)
    if endpoint.state not in _VERIFIED:
        raise ConflictError("webhook_not_verified", "Send a ping first; the receiver has to return its challenge.")


async def _ping(tx: Transaction, endpoint: Endpoint) -> None:
    fields = {"endpoint_id": endpoint.id, "challenge": secrets.token_urlsafe(24)}
    await webhook_deliveries.add_ping(tx, endpoint.id, event_id=uuid.uuid4(), fields=fields)
