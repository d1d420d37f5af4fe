"""Live processes and their clients in memory, on one engine: the whole live layer except sockets and Redis.

A client behaves as a correct one does. It stores the positions of its streams and sends them when it reconnects,
accepts recovered publications only if the result allows it, and otherwise refetches everything. It fails as soon as it
gets a publication twice, or one that does not follow the previous one, which is a silent gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import orjson

from channels.bus.addressing import new_process_id, process_channels
from channels.bus.pubsub import PubSub
from channels.bus.redis_client import RedisClient
from channels.bus.registry import Registry
from channels.commands.connect import ConnectHandler
from channels.commands.connection_manager import ConnectionManager
from channels.commands.dispatcher import CommandDispatcher
from channels.commands.operations import OperationHandler
from channels.commands.subscriptions import SubscriptionHandler
from channels.connection.connection import Connection
from channels.connection.keepalive import Keepalive
from channels.connection.stream_state import STREAMS
from channels.connection.write_buffer import WriteScheduler
from channels.contract.metrics import NoLiveMetrics
from channels.contract.ports import GraphqlDocuments, Ports
from channels.contract.settings import LiveSettings
from channels.hub.delivery import Delivery
from channels.hub.hub import Hub
from channels.hub.recovery import StreamRecovery
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codes import Disconnect
from tests.support.fake_ports import FakeAuthenticator, FakeAuthorizer, FakeOperations, FakePresences
from tests.support.memory_engine import EngineRedis, EngineStreams, MemoryEngine, group_of
from tests.support.memory_transport import MemoryTransport

SETTINGS = LiveSettings(held_publications=8)


class Lines(JsonCodec):
    """A wire format: each message is a line of JSON, also the close message."""

    closes_by_frame = True

    def encode(self, message: dict[str, Any]) -> bytes:
        """Return one message as a line."""
        return super().encode(message) + b"\n"

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the line that ends a connection."""
        return b'{"bye":%d}\n' % disconnect.code


class FakePubSub:
    """Subscriptions to a memory engine that break, and are detected as broken, when the test decides."""

    def __init__(self, engine: MemoryEngine, process_id: bytes, delivery: Delivery) -> None:
        self._engine = engine
        self._process_id = process_id
        self._delivery = delivery
        self._inbox: deque[tuple[bytes, bytes]] = deque()
        self.connected = False

    def reconnect(self) -> None:
        """Connect and subscribe, if the engine is up and nothing is connected."""
        if not self.connected and not self._engine.down:
            self._inbox = self._engine.subscribers[self._process_id] = deque()
            self.connected = True
            self._delivery.restored()

    def break_connection(self) -> None:
        """Cut the connection at the engine's end; messages in transit are lost."""
        self._engine.subscribers.pop(self._process_id, None)
        self._inbox = deque()

    def detect_loss(self) -> None:
        """Detect a loss, whether or not the engine knows of it."""
        self._inbox = deque()
        if self.connected:
            self.connected = False
            self._delivery.lost()

    def pump(self, count: int) -> None:
        """Deliver up to `count` messages."""
        while self._inbox and count and self.connected:
            channel, message = self._inbox.popleft()
            count -= 1
            self._delivery.message(channel, message, more=bool(self._inbox and count))

    @property
    def consistent(self) -> bool:
        """Return whether both ends believe in the same connection."""
        return self.connected and self._engine.subscribers.get(self._process_id) is self._inbox


class Process:
    """One live process, wired as `channels.live.build_live` does, without transports."""

    def __init__(self, engine: MemoryEngine, graphql: GraphqlDocuments | None = None) -> None:
        process_id = new_process_id()
        redis, streams = cast(RedisClient, EngineRedis(engine)), EngineStreams(engine)
        metrics = NoLiveMetrics()
        scheduler = WriteScheduler(metrics.live_sent, linger=SETTINGS.close_deadline)
        self.hub = Hub(scheduler, group_of)
        self.keepalive = Keepalive(SETTINGS, scheduler)
        self.registry = Registry(redis, process_id, group_of, self.hub.has_user)
        self.recovery = StreamRecovery(self.hub, self.registry, streams, FakeAuthenticator(), SETTINGS, metrics=metrics)
        presences = FakePresences()
        delivery = Delivery(
            self.hub, presences, frozenset(process_channels(process_id)), self.recovery, lambda *_: None
        )
        self.pubsub = FakePubSub(engine, process_id, delivery)
        ports = Ports(
            authenticator=FakeAuthenticator(),
            streams=streams,
            authorizer=FakeAuthorizer(),
            presences=presences,
            operations=FakeOperations(),
            graphql=graphql,
        )
        pubsub = cast(PubSub, self.pubsub)
        subscriptions = SubscriptionHandler(ports, self.hub, pubsub, SETTINGS)
        commands = CommandDispatcher(
            connects=ConnectHandler(ports, self.hub, self.recovery, self.keepalive, SETTINGS),
            subscriptions=subscriptions,
            presences=ports.presences,
            operations=ports.operations,
            graphql=OperationHandler(ports, self.hub, subscriptions, SETTINGS),
            settings=SETTINGS,
        )
        self.manager = ConnectionManager(commands, self.hub, self.keepalive, SETTINGS, metrics)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        """Run the background tasks inside the block."""
        work = (self.registry.run(), self.recovery.run(), self.recovery.renew_registrations(), self._reconnect())
        tasks = [asyncio.create_task(coroutine) for coroutine in work]
        self.pubsub.reconnect()
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _reconnect(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.pubsub.reconnect()


class Client:
    """One device of a user; `have` is the last number received of each stream."""

    def __init__(self, engine: MemoryEngine, user_id: int) -> None:
        self._engine = engine
        self.user_id = user_id
        self.have: dict[str, int] = {}
        self.gaps = 0
        self._positions: dict[str, tuple[str, int]] = {}
        self._reread: dict[str, int] = {}
        self._process: Process | None = None
        self._connection: Connection | None = None
        self._transport = MemoryTransport()
        self._unread: deque[bytes] = deque()

    @property
    def connected(self) -> bool:
        """Return whether this client believes to be connected."""
        return self._connection is not None

    def connect(self, process: Process) -> None:
        """Open a connection and send the positions of the streams."""
        if self._connection is not None:
            return
        self._process, self._transport = process, MemoryTransport()
        self._connection = process.manager.open(Lines(), self._transport, "")
        subs = {
            stream: {"recover": True, "epoch": epoch, "offset": offset}
            for stream, (epoch, offset) in self._positions.items()
        }
        command = {"id": 1, "connect": {"token": str(self.user_id), "subs": subs}}
        process.manager.received(self._connection, orjson.dumps(command).decode())

    def cut(self) -> None:
        """Lose the connection, with everything that was not read yet."""
        self._end()

    def leave(self, process: Process) -> None:
        """Lose the connection if it leads to this dead process."""
        if self._process is process:
            self._end()

    def read(self, count: int) -> None:
        """Read up to `count` messages and check each."""
        while self._connection is not None and count:
            self._unread.extend(b"".join(self._transport.writes).splitlines())
            self._transport.writes.clear()
            if not self._unread:
                if self._transport.closing:
                    self._end()
                return
            self._take(orjson.loads(self._unread.popleft()))
            count -= 1

    def _end(self) -> None:
        if self._connection is not None and self._process is not None:
            self._process.manager.lost(self._connection)
        self._connection = None
        self._unread.clear()

    def _take(self, message: dict[str, Any]) -> None:
        if "bye" in message or "error" in message:
            self._end()
        elif "connect" in message:
            for stream in STREAMS:
                self._begin(stream, message["connect"]["subs"][stream])
        elif "push" in message:
            self._apply(message["push"]["channel"], message["push"]["pub"])

    def _begin(self, stream: str, result: dict[str, Any]) -> None:
        if result.get("recovered"):
            assert self._positions[stream][0] == result["epoch"], "recovered into another epoch"
            for publication in result["publications"]:
                self._apply(stream, publication)
            assert self._positions[stream][1] <= result["offset"]
        else:
            self.gaps += stream in self._positions
            # The API's response now may contain publications that still arrive live.
            self._reread[stream] = self.have[stream] = self._engine.truth.get((self.user_id, stream), 0)
        self._positions[stream] = (result["epoch"], result["offset"])

    def _apply(self, stream: str, publication: dict[str, Any]) -> None:
        number, offset = publication["data"], publication["offset"]
        epoch, last = self._positions[stream]
        assert offset > last, f"offset {offset} of {stream} after {last}"
        self._positions[stream] = (epoch, offset)
        if number > self._reread[stream]:
            assert number == self.have[stream] + 1, f"{number} of {stream} after {self.have[stream]}"
            self.have[stream] = number
