"""GraphQL connections of the live layer without sockets and engines; documents are those of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson

from channels.bus.addressing import topic_channel
from channels.bus.pubsub import PubSub
from channels.bus.registry import Registry
from channels.commands.connect import ConnectHandler
from channels.commands.connection_manager import ConnectionManager
from channels.commands.dispatcher import CommandDispatcher
from channels.commands.operations import OperationHandler
from channels.commands.subscriptions import SubscriptionHandler
from channels.connection.graphql_connection import GraphqlConnection
from channels.connection.keepalive import Keepalive
from channels.connection.write_buffer import WriteScheduler
from channels.contract.errors import OperationRefusedError
from channels.contract.metrics import NoLiveMetrics
from channels.contract.ports import GraphqlSubscription, Identity, Ports, Position, Publication
from channels.contract.settings import LiveSettings
from channels.hub.hub import Hub
from channels.hub.recovery import StreamRecovery
from channels.protocol.codes import Disconnect
from channels.protocol.graphql import close_code
from channels.transports.graphql import EventFormat, SocketFormat
from storage.ids import slot_group
from tests.support.eventually import eventually
from tests.support.fake_ports import FakeAuthenticator, FakeAuthorizer, FakeOperations, FakePresences, MemoryStreams
from tests.support.memory_transport import MemoryTransport
from tests.support.recovery_scene import FakeRegistry


class CountingProjection:
    """Puts the publication into `data`, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def project(self, data: bytes) -> bytes | None:
        """Return the response, or None for the publication `null`."""
        self.calls += 1
        return None if data == b"null" else b'{"data":%b}' % data


class FakeDocuments:
    """Subscriptions whose document is the name of a channel, with the offset of `variables.since`, if any."""

    def __init__(self) -> None:
        self.projection = CountingProjection()

    async def load(self) -> None:
        """Do nothing."""

    async def subscription(self, request: Mapping[str, Any], identity: Identity) -> GraphqlSubscription:
        """Return the subscription; that of the document "wrong" is refused."""
        del identity
        if request["query"] == "wrong":
            raise OperationRefusedError(b'[{"message":"wrong"}]')
        since = request.get("variables", {}).get("since")
        position = None if since is None else Position(epoch="e1", offset=since)
        return GraphqlSubscription(channel=request["query"], projection=self.projection, since=position)


class PlainSockets(SocketFormat):
    """The messages of graphql-transport-ws, one a line; the close message is a line with the code."""

    def encode(self, message: dict[str, Any]) -> bytes:
        """Return a message without a frame."""
        return orjson.dumps(message or {"type": "ping"}) + b"\n"

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the code."""
        return b'{"close":%d}\n' % close_code(disconnect).code

    def acknowledge(self) -> bytes:
        """Return the message."""
        return b'{"type":"connection_ack"}\n'

    def event_head(self, response: bytes, offset: int | None, tail: int) -> bytes:
        """Return the beginning of the message."""
        head = super().event_head(response, offset, tail)
        return head[head.index(b"{") :]

    def event_tail(self, operation_id: bytes, epoch: bytes | None) -> bytes:
        """Return the end of the message."""
        return super().event_tail(operation_id, epoch) + b"\n"

    def error(self, operation_id: bytes, entries: bytes) -> bytes:
        """Return the message."""
        return _unframed(super().error(operation_id, entries))

    def complete(self, operation_id: bytes) -> bytes:
        """Return the message."""
        return _unframed(super().complete(operation_id))


def _unframed(data: bytes) -> bytes:
    return data[data.index(b"{") :] + b"\n"


class _PubSub:
    """Subscriptions to topics that always succeed."""

    @asynccontextmanager
    async def subscription(self, _topic: bytes) -> AsyncIterator[None]:
        """Subscribe."""
        yield


class Device:
    """One client's connection: what it sends, and what it has received."""

    def __init__(self, manager: ConnectionManager, wire_format: SocketFormat | EventFormat) -> None:
        self._manager = manager
        self.transport = MemoryTransport()
        self.connection = manager.open_as(GraphqlConnection, wire_format, self.transport, "")
        self.connection.begin()

    def send(self, **message: Any) -> None:
        """Send a message."""
        self._manager.received(self.connection, orjson.dumps(message).decode())

    def raw(self, data: str) -> None:
        """Send a text that may be no message."""
        self._manager.received(self.connection, data)

    @property
    def received(self) -> list[dict[str, Any]]:
        """Return all messages of the server."""
        return [orjson.loads(line) for line in b"".join(self.transport.writes).splitlines()]

    async def expect(self, number: int) -> list[dict[str, Any]]:
        """Wait for so many messages, and return all."""

        def found() -> list[dict[str, Any]]:
            assert len(self.received) >= number, self.received
            return self.received

        return await eventually(found)

    async def initialised(self, token: str = "7") -> Device:  # noqa: S107 - the id of a user
        """Send connection_init, and wait for its acknowledgement."""
        self.send(type="connection_init", payload={"token": token})
        await self.expect(1)
        return self

    async def subscribed(self, operation_id: str, channel: str, **variables: Any) -> Device:
        """Start a subscription, and wait until it runs."""
        payload = {"query": channel, "variables": variables}
        self.send(type="subscribe", id=operation_id, payload=payload)

        def running() -> bool:
            assert operation_id in self.connection.operations, self.received
            assert not self.connection.busy
            return True

        await eventually(running)
        return self


class GraphqlScene:
    """The live layer of one process, for GraphQL alone."""

    def __init__(self, **settings: Any) -> None:
        self.settings = LiveSettings(**settings)
        self.scheduler = WriteScheduler(lambda _: None, linger=1)
        self.hub = Hub(self.scheduler, slot_group)
        self.streams, self.documents = MemoryStreams(), FakeDocuments()
        self.authorizer, self.authenticator = FakeAuthorizer(), FakeAuthenticator()
        registry = FakeRegistry()
        registry.gate.set()
        self.recovery = StreamRecovery(
            self.hub,
            cast(Registry, registry),
            self.streams,
            self.authenticator,
            self.settings,
            metrics=NoLiveMetrics(),
        )
        registry.unregister = lambda _: None  # type: ignore[attr-defined]
        self.recovery.restored()
        ports = Ports(
            authenticator=self.authenticator,
            streams=self.streams,
            authorizer=self.authorizer,
            presences=FakePresences(),
            operations=FakeOperations(),
            graphql=self.documents,
        )
        self.keepalive = Keepalive(self.settings, self.scheduler)
        subscriptions = SubscriptionHandler(ports, self.hub, cast(PubSub, _PubSub()), self.settings)
        commands = CommandDispatcher(
            connects=ConnectHandler(ports, self.hub, self.recovery, self.keepalive, self.settings),
            subscriptions=subscriptions,
            presences=ports.presences,
            operations=ports.operations,
            graphql=OperationHandler(ports, self.hub, subscriptions, self.settings),
            settings=self.settings,
        )
        self.manager = ConnectionManager(commands, self.hub, self.keepalive, self.settings, NoLiveMetrics())

    def device(self) -> Device:
        """Return a new WebSocket connection."""
        return Device(self.manager, PlainSockets())

    def stream(self, identity: Identity) -> Device:
        """Return a new event stream."""
        device = Device(self.manager, EventFormat())
        device.connection.preauthenticated, device.connection.answers_pings = identity, False
        return device

    def publish(self, user_id: int, stream: str, data: bytes) -> Publication:
        """Append a publication to a stream, and deliver it."""
        item = self.streams.append(user_id, stream, data)
        self.hub.deliver([user_id], stream, item)
        return item

    def publish_on(self, topic: str, data: bytes) -> None:
        """Deliver a publication of a topic."""
        self.hub.deliver_topic(topic_channel(topic), Publication(data=data))

    async def settled(self) -> None:
        """Let the event loop write what is due."""
        for _ in range(5):
            await asyncio.sleep(0)
