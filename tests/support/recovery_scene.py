"""A connected client and the recovery of its streams, with the order of events set by a test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import orjson

from channels.bus.registry import Registry
from channels.connection.connection import Connection
from channels.connection.stream_state import StreamState
from channels.connection.write_buffer import WriteScheduler
from channels.contract.errors import LiveUnavailableError
from channels.contract.metrics import NoLiveMetrics
from channels.contract.ports import Identity
from channels.contract.settings import LiveSettings
from channels.hub.hub import Hub
from channels.hub.recovery import StreamRecovery
from channels.protocol.codec_json import JsonCodec
from channels.protocol.core import ProtocolCore
from channels.transports.websocket_format import WebSocketFormat
from storage.ids import slot_group
from tests.support.fake_ports import FakeAuthenticator, MemoryStreams
from tests.support.memory_transport import MemoryTransport

SETTINGS = LiveSettings(renewal_interval=0.01)


class FakeRegistry:
    """A registry that waits for the test, and reports users as missing."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked = 0
        self.largest = 0  # number of users of one call
        self.missing: set[int] = set()
        self.registered: set[int] = set()
        self.uncertain = False
        self.failures = 0

    async def register(self, user_ids: Sequence[int]) -> set[int]:
        """Wait for the gate and return the missing users, once."""
        self.asked += 1
        self.largest = max(self.largest, len(user_ids))
        await asyncio.sleep(0)
        await self.gate.wait()
        self.registered |= set(user_ids)
        missing = self.missing & set(user_ids)
        self.missing -= missing
        if self.failures:
            self.failures -= 1
            raise LiveUnavailableError("the answer was lost")
        return missing


class RecordingMetrics(NoLiveMetrics):
    """Metrics that keep the recoveries, as (recovered, lost)."""

    def __init__(self) -> None:
        self.recoveries: list[tuple[int, int]] = []

    def live_recovered(self, *, recovered: int, lost: int) -> None:
        """Keep one."""
        self.recoveries.append((recovered, lost))


class Scene:
    """One connected client of user 7, whose stream `feed` is at the end of the log."""

    def __init__(self) -> None:
        self._scheduler = WriteScheduler(lambda _: None, linger=1)
        self.hub, self.registry, self.streams = Hub(self._scheduler, slot_group), FakeRegistry(), MemoryStreams()
        self.authenticator = FakeAuthenticator()
        self.metrics = RecordingMetrics()
        self.recovery = self.recovery_with(SETTINGS)
        self.connection, self.transport = self.device()

    def recovery_with(self, settings: LiveSettings) -> StreamRecovery:
        """Return a recovery with these settings."""
        return StreamRecovery(
            self.hub, cast(Registry, self.registry), self.streams, self.authenticator, settings, metrics=self.metrics
        )

    def device(self, *, accepted: bool = True, user_id: int = 7) -> tuple[Connection, MemoryTransport]:
        """Connect the user once more, or another one, or leave that connect in progress."""
        transport = MemoryTransport()
        core = ProtocolCore(rate=1, burst=1, now=0)
        if accepted:
            core.accepted()
        connection = Connection(WebSocketFormat(JsonCodec()), transport, core, self._scheduler, SETTINGS)
        state = StreamState("feed", limit=100)
        state.advance("e1", 1000)
        state.release()
        connection.streams = {"feed": state}
        self.hub.join(connection, Identity(user_id=user_id, session="s", expires_at=0))
        return connection, transport

    def publish(self, number: int, *, announced: bool = True) -> None:
        """Append a number to the stream, and deliver it unless pub/sub is down."""
        item = self.streams.append(7, "feed", b"%d" % number)
        if announced:
            self.hub.deliver([7], "feed", item)

    async def sent(self, transport: MemoryTransport | None = None) -> list[int]:
        """Return the numbers sent to the client, or to another one."""
        await asyncio.sleep(0)
        payload = b"".join((transport or self.transport).writes)
        parts = payload.split(b'"pub":{"data":')[1:]
        return [int(orjson.loads(part.split(b",")[0])) for part in parts]
