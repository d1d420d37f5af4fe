"""The documents of GraphQL subscriptions in a live process, whose schema is loaded when the first client connects.

The library and the schema take half a second and 30 MB, which a process without such clients does not pay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from channels.contract.ports import GraphqlDocuments, GraphqlSubscription, Identity
from server.graphql.manifest import AcceptedDocuments
from server.graphql.metrics import GraphqlMetrics
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import READ_QUOTA
from server.live.store_errors import store_errors


class LazyDocuments:
    """Documents that `load` makes, in a thread, when they are first needed."""

    def __init__(self, load: Callable[[], GraphqlDocuments]) -> None:
        self._new = load
        self._loading: asyncio.Task[GraphqlDocuments] | None = None

    async def load(self) -> None:
        """Load the documents."""
        await self._documents()

    async def subscription(self, request: Mapping[str, Any], identity: Identity) -> GraphqlSubscription:
        """Return the subscription of a request; raise as the port says."""
        return await (await self._documents()).subscription(request, identity)

    async def _documents(self) -> GraphqlDocuments:
        if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
            self._loading = asyncio.create_task(asyncio.to_thread(self._new))
        # The first client may disconnect, but others wait for the same schema.
        return await asyncio.shield(self._loading)


def subscription_documents(accepted: AcceptedDocuments, limiter: RateLimiter, metrics: GraphqlMetrics) -> LazyDocuments:
    """Return the documents of subscriptions, with the limits and the persisted documents of the interface."""

    async def charge(identity: Identity, units: int) -> None:
        with store_errors():
            await limiter.check_user(READ_QUOTA, identity.user_id, identity.session, cost=units, locally=True)

    def load() -> GraphqlDocuments:
        from server.composition.graphql import make_schema  # noqa: PLC0415
        from server.graphql.executor import Executor  # noqa: PLC0415
        from server.graphql.persisted import PersistedDocuments  # noqa: PLC0415
        from server.graphql.subscriptions.documents import SubscriptionDocuments  # noqa: PLC0415

        return SubscriptionDocuments(Executor(make_schema()), PersistedDocuments(accepted).find, charge, metrics)

    return LazyDocuments(load)
