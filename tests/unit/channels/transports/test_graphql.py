"""The requests that open GraphQL subscriptions, before a connection begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from channels.contract.ports import Identity
from channels.contract.settings import LiveSettings
from channels.transports.accept_policy import AcceptPolicy
from channels.transports.graphql import GraphqlEndpoint
from server.composition.graphql_subscriptions import LazyDocuments
from tests.support.graphql_scene import FakeDocuments

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "graphql-transport-ws",
}
BEN = Identity(user_id=7, session="s", expires_at=1e12)


class NotLoadedError(Exception):
    """The documents cannot be loaded."""


class BrokenDocuments(FakeDocuments):
    """Documents that cannot be loaded."""

    async def load(self) -> None:
        """Raise."""
        raise NotLoadedError


def _endpoint() -> GraphqlEndpoint:
    settings = LiveSettings()
    nothing = cast(Any, None)  # is not reached
    return GraphqlEndpoint(BrokenDocuments(), nothing, AcceptPolicy(settings, lambda _: 0), nothing, settings)


@pytest.mark.parametrize(
    "call",
    [
        lambda endpoint: endpoint.websocket(make_mocked_request("GET", "/graphql", UPGRADE), "::1", None),
        lambda endpoint: endpoint.events(make_mocked_request("POST", "/graphql"), "::1", BEN, {}),
    ],
    ids=["websocket", "events"],
)
async def test_documents_are_loaded_before_a_connection_begins(
    call: Callable[[GraphqlEndpoint], Awaitable[web.StreamResponse]],
) -> None:
    """A client that subscribes at once misses nothing while the schema is made."""
    with pytest.raises(NotLoadedError):
        await call(_endpoint())


async def test_documents_are_loaded_once() -> None:
    """All requests wait for the same documents, which stay."""
    made: list[FakeDocuments] = []

    def new() -> FakeDocuments:
        made.append(FakeDocuments())
        return made[-1]

    documents = LazyDocuments(new)
    await documents.load()
    found = await documents.subscription({"query": "feed"}, BEN)
    assert (len(made), found.channel) == (1, "feed")
