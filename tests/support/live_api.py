"""The API with live connections in this process, as in `picshare run`, and a minimal JSON client."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

from channels.contract.ports import Ports
from channels.contract.settings import LiveSettings
from channels.live import build_live
from server.composition.delivery import delivery_script
from server.composition.graphql_subscriptions import subscription_documents
from server.identity.tokens import AccessTokens
from server.live.access import LiveAuthenticator, LiveAuthorizer, LivePresences
from server.live.operations import LiveOperations
from server.live.streams import live_streams
from storage import events
from storage.feeds.notification_log import NotificationLog
from storage.ids import slot_group
from storage.redis.client import Redis
from tests.support.api import SECRET, Api, InspectableServices, running_api
from tests.support.api_user import ApiUser
from tests.support.eventually import DEADLINE
from workers.jobs.inbox.bells import BellHandlers
from workers.jobs.inbox.comments import CommentHandlers
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.notify import NotifyHandlers, notify_handlers

PATH = "/connection/websocket"


@asynccontextmanager
async def running_live_api(
    services: InspectableServices, redis: Redis, settings: LiveSettings | None = None
) -> AsyncIterator[Api]:
    """Serve the API with live connections on a free port of the loopback interface."""
    streams = live_streams(
        db=services.db,
        feeds=services.stores.feeds,
        cards=services.stores.cards,
        counter_cache=services.counter_cache,
        notification_log=NotificationLog(redis, delivery_script(redis)),
        sign=services.media_urls.sign,
    )
    actions = services.actions
    ports = Ports(
        authenticator=LiveAuthenticator(AccessTokens(SECRET, ttl=900), services.tickets, services.api_tokens),
        streams=streams,
        authorizer=LiveAuthorizer(services.db, actions.presence, services.reads),
        presences=LivePresences(actions.presence),
        operations=LiveOperations(
            actions.reactions,
            actions.notifications,
            services.limiter,
            services.reads,
            require_space=services.require_space,
        ),
        graphql=subscription_documents(services.graphql_documents, services.limiter, services.graphql_metrics),
    )
    live = build_live(redis, ports, slot_group, settings or LiveSettings(drain_seconds=0.1))
    task = asyncio.create_task(live.run())
    async with running_api(dataclasses.replace(services, live=live)) as running:
        yield running
        await live.close()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class Socket:
    """A live connection that uses JSON."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._lines: list[str] = []

    async def request(self, **command: Any) -> dict[str, Any]:
        """Send a command and return its reply."""
        await self.send(**command)
        return await self.until("id", self._number)

    async def send(self, **command: Any) -> None:
        """Send a command."""
        self._number += 1
        await self._socket.send_str(json.dumps({"id": self._number, **command}))

    async def until(self, field: str, value: Any = None) -> dict[str, Any]:
        """Return the next message that has a field, with this value if given."""
        while True:
            message = await self._next()
            if field in message and value in (None, message[field]):
                return message

    async def _next(self) -> dict[str, Any]:
        if not self._lines:
            async with asyncio.timeout(DEADLINE):
                frame = await self._socket.receive()
            assert frame.type is aiohttp.WSMsgType.TEXT, (frame.type, frame.data, frame.extra)
            self._lines += frame.data.split("\n")
        message: dict[str, Any] = json.loads(self._lines.pop(0))
        return message

    async def closed(self) -> int:
        """Wait for the end of the connection and return the close code."""
        async with asyncio.timeout(DEADLINE):
            while (message := await self._socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert message.type is aiohttp.WSMsgType.CLOSE
        code: int = message.data
        return code

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.close()


async def connected(api: Api, user: ApiUser) -> Socket:
    """Connect a user with a ticket."""
    ticket = (await user.call("POST", "/live/token")).expect(201)["token"]
    socket = Socket(await api.session.ws_connect(api.url + PATH))
    reply = await socket.request(connect={"token": ticket})
    assert set(reply["connect"]["subs"]) == {"feed", "notifications"}
    return socket


async def notify(api: Api) -> None:
    """Handle the events of likes, comments, follows and photos, as the worker does."""
    services = api.services
    parts = (services.counter_cache, services.stores.publisher)
    inbox = Inbox(services.db, services.notification_log)
    handlers = notify_handlers(
        NotifyHandlers(services.db, inbox, *parts),
        CommentHandlers(services.db, inbox, *parts),
        BellHandlers(services.db, inbox),
    )
    for row in await services.db.fetch("DELETE FROM outbox WHERE queue = 'notify' RETURNING id, topic, body"):
        await handlers[row["topic"]](events.decode(row["topic"], row["body"]))
