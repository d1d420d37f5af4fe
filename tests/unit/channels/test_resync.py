"""Closing gaps, with the order of events in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import cast

import orjson
import pytest

from channels.bus.registry import Registry
from channels.connection import Connection
from channels.hub import Hub
from channels.metrics import NoLiveMetrics
from channels.outbox import Departures
from channels.ports import Grant, Identity
from channels.protocol import codes
from channels.protocol.codec_json import JsonCodec
from channels.protocol.core import ProtocolCore
from channels.resync import Resync
from channels.settings import LiveSettings
from channels.streams import StreamState
from channels.transports.frames import WebSocketForm
from tests.support.eventually import eventually
from tests.support.fake_ports import MemoryStreams
from tests.support.memory_transport import MemoryTransport

SETTINGS = LiveSettings(renewal_interval=0.01)


class FakeRegistry:
    """Register when the test lets it; say who was missing."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked = 0
        self.missing: set[int] = set()

    async def register(self, user_ids: Sequence[int]) -> set[int]:
        """Wait for the gate and return who was missing, once."""
        self.asked += 1
        await self.gate.wait()
        missing, self.missing = self.missing, set()
        return missing & set(user_ids)

    async def beat(self, connections: int, *, seconds: float) -> None:
        """Do nothing."""


class Scene:
    """One connected client of person 7, whose stream `feed` stands at the end of the log."""

    def __init__(self) -> None:
        self.hub, self.registry, self.streams = Hub(), FakeRegistry(), MemoryStreams()
        self.resync = Resync(self.hub, cast(Registry, self.registry), self.streams, SETTINGS, NoLiveMetrics())
        self.transport = MemoryTransport()
        core = ProtocolCore(rate=1, burst=1, now=0)
        core.accepted()
        self.connection = Connection(
            WebSocketForm(JsonCodec()), self.transport, core, Departures(lambda _: None, patience=1), SETTINGS
        )
        state = StreamState("feed", limit=100)
        state.place("e1", 1000)
        state.release()
        self.connection.streams = {"feed": state}
        self.hub.join(self.connection, Identity(user_id=7, session="s", expires_at=0))

    def publish(self, number: int, *, announced: bool = True) -> None:
        """Append a number to the stream, and announce it if pub/sub stands."""
        item = self.streams.append(7, "feed", b"%d" % number)
        if announced:
            self.hub.deliver([7], "feed", item)

    async def sent(self) -> list[int]:
        """Return the numbers that have left."""
        await asyncio.sleep(0)
        payload = b"".join(self.transport.writes)
        parts = payload.split(b'"pub":{"data":')[1:]
        return [int(orjson.loads(part.split(b",")[0])) for part in parts]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A scene whose resynchronisation runs."""
    scene = Scene()
    running = asyncio.create_task(scene.resync.run())
    yield scene
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_missed_then_held(scene: Scene) -> None:
    """What was missed leaves first, then what came live meanwhile, each once."""
    scene.resync.lost()
    scene.publish(1, announced=False)
    scene.resync.restored()
    scene.publish(2)
    assert await scene.sent() == []
    scene.registry.gate.set()

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)
    scene.publish(3)
    assert await scene.sent() == [1, 2, 3]


async def test_loss_while_registering(scene: Scene) -> None:
    """A second loss before the first was made good waits for its own end, and nothing is skipped."""
    scene.resync.lost()
    scene.resync.restored()
    await eventually(lambda: scene.registry.asked == 1)
    scene.resync.lost()
    scene.registry.gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert scene.streams.reads == 0
    scene.publish(1, announced=False)
    scene.resync.restored()
    scene.publish(2)

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)


async def test_loss_while_recovering(scene: Scene) -> None:
    """A second loss while streams are being read holds them on, until they are read once more."""
    scene.registry.gate.set()
    gate = scene.streams.gate = asyncio.Event()
    scene.resync.lost()
    scene.resync.restored()
    await eventually(lambda: scene.streams.reads == 1)
    scene.resync.lost()
    gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    scene.publish(1, announced=False)
    scene.resync.restored()
    scene.publish(2)

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)


async def test_two_reads_at_once(scene: Scene) -> None:
    """A stream that is read twice at the same time, after a loss and with a refresh, tells everything once."""
    scene.registry.gate.set()
    gate = scene.streams.gate = asyncio.Event()
    scene.publish(1, announced=False)
    scene.resync.lost()
    scene.resync.restored()
    await eventually(lambda: scene.streams.reads == 1)
    checking = asyncio.create_task(scene.resync.check(scene.connection))
    await eventually(lambda: scene.streams.reads == 2)
    gate.set()
    await checking
    scene.publish(2)

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)


async def test_gap_during_renewal(scene: Scene) -> None:
    """While a registration is renewed, live publications wait, so that they cannot hide what was missed before."""
    renewing = asyncio.create_task(scene.resync.renew())
    await eventually(lambda: scene.registry.asked == 1)
    scene.registry.missing = {7}
    scene.publish(1, announced=False)
    scene.publish(2)
    assert await scene.sent() == []
    scene.registry.gate.set()

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)
    renewing.cancel()
    with suppress(asyncio.CancelledError):
        await renewing


async def test_caught_while_connecting(scene: Scene) -> None:
    """A client whose connect is under way during a loss is closed with 3010, since its result may hide a gap."""
    scene.registry.gate.set()
    scene.connection.streams = {"feed": StreamState("feed", limit=100)}
    scene.resync.lost()
    scene.resync.restored()
    await eventually(lambda: scene.connection.closed_with is codes.INSUFFICIENT_STATE)


async def test_one_that_left(scene: Scene) -> None:
    """A connection that ended meanwhile is left alone."""
    scene.registry.gate.set()
    scene.hub.subscribe(scene.connection, "photo:1", Grant(topic="photo:1", owner_id=1))
    scene.resync.lost()
    scene.hub.leave(scene.connection)
    scene.connection.identity, scene.connection.streams = None, {}
    scene.resync.restored()
    await eventually(lambda: scene.registry.asked == 1)
    for _ in range(10):
        await asyncio.sleep(0)
    assert scene.streams.reads == 0
    assert scene.connection.closed_with is None
