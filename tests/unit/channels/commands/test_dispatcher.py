"""Order of handling: connects wait for their turn, other requests do not."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from channels.commands.connect import ConnectHandler
from channels.commands.dispatcher import CommandDispatcher
from channels.commands.operations import OperationHandler
from channels.commands.subscriptions import SubscriptionHandler
from channels.connection.connection import Connection
from channels.connection.write_buffer import WriteScheduler
from channels.contract.ports import Operations, Presences
from channels.contract.settings import LiveSettings
from channels.protocol import codes
from channels.protocol.codec_json import JsonCodec
from channels.protocol.core import ProtocolCore
from channels.protocol.effects import Connect, Refresh
from channels.transports.websocket_format import WebSocketFormat
from tests.support.eventually import DEADLINE, eventually
from tests.support.memory_transport import MemoryTransport

SETTINGS = LiveSettings(command_deadline=5)


class Gate:
    """A connect handler whose connects last until the test ends them."""

    def __init__(self) -> None:
        self.begun: list[Connection] = []
        self.refreshed = 0
        self.open = asyncio.Event()

    async def connect(self, connection: Connection, _request: Connect) -> None:
        """Wait for the gate."""
        self.begun.append(connection)
        await self.open.wait()

    async def refresh(self, _connection: Connection, _request: Refresh) -> None:
        """Count the call."""
        self.refreshed += 1

    async def check(self, _connection: Connection) -> None:
        """Do nothing."""

    def leave(self, _connection: Connection) -> None:
        """Do nothing."""


class Scene:
    """A command dispatcher with connections."""

    def __init__(self, settings: LiveSettings = SETTINGS) -> None:
        self.gate = Gate()
        self._scheduler = WriteScheduler(lambda _: None, linger=1)
        self.commands = CommandDispatcher(
            connects=cast(ConnectHandler, self.gate),
            subscriptions=cast(SubscriptionHandler, None),
            presences=cast(Presences, None),
            operations=cast(Operations, None),
            graphql=cast(OperationHandler, None),
            settings=settings,
        )

    def connection(self) -> Connection:
        """Return a connection that is not authenticated."""
        core = ProtocolCore(rate=1, burst=1, now=0)
        return Connection(WebSocketFormat(JsonCodec()), MemoryTransport(), core, self._scheduler, SETTINGS)

    def connecting(self, connection: Connection) -> asyncio.Task[None]:
        """Start a connect."""
        return asyncio.create_task(self.commands.handle(connection, Connect(id=1, token="t", since={})))


@pytest.fixture
async def scene() -> Scene:
    """A scene without connects."""
    return Scene()


async def test_connects_wait_for_their_turn(scene: Scene) -> None:
    """A limited number of connects is handled at a time, in order; a connection closed meanwhile is skipped."""
    connections = [scene.connection() for _ in range(200)]
    tasks = [scene.connecting(connection) for connection in connections]
    await eventually(lambda: scene.gate.begun == connections[:64])
    connections[70].close(codes.STALE)
    scene.gate.open.set()
    await asyncio.gather(*tasks)
    assert scene.gate.begun == [connection for connection in connections if connection is not connections[70]]


async def test_connects_do_not_wait_for_ever() -> None:
    """A connect that waits past the deadline gets a temporary error, and those behind it do not wait for it."""
    scene = Scene(LiveSettings(command_deadline=5, connect_deadline=0.1))
    first = [scene.connecting(scene.connection()) for _ in range(64)]
    await eventually(lambda: len(scene.gate.begun) == 64)
    late = scene.connection()
    async with asyncio.timeout(DEADLINE):
        await scene.connecting(late)
    await asyncio.sleep(0)
    assert b'"code":100' in cast(MemoryTransport, late.transport).writes[0]
    assert late not in scene.gate.begun
    scene.gate.open.set()
    await asyncio.gather(*first)
    await scene.connecting(scene.connection())
    assert len(scene.gate.begun) == 65


async def test_other_requests_do_not_wait(scene: Scene) -> None:
    """Other requests are handled at once, however many connects wait."""
    tasks = [scene.connecting(scene.connection()) for _ in range(100)]
    await eventually(lambda: scene.gate.begun)
    await scene.commands.handle(scene.connection(), Refresh(id=2, token="t"))
    assert scene.gate.refreshed == 1
    scene.gate.open.set()
    await asyncio.gather(*tasks)
