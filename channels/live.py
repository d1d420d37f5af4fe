"""The live layer's front: what a process needs to hold live connections, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from aiohttp import web

from channels.bus.addressing import draw_process_id, process_channels
from channels.bus.presence_store import PresenceStore
from channels.bus.processes import Processes
from channels.bus.publisher import LivePublisher
from channels.bus.pubsub import PubSub
from channels.bus.redis_client import RedisClient
from channels.bus.registry import Registry
from channels.commands.connect import ConnectHandler
from channels.commands.connection_manager import ConnectionManager
from channels.commands.dispatcher import CommandDispatcher, Desks
from channels.commands.emulation import Emulation
from channels.commands.subscriptions import SubscriptionHandler
from channels.connection.drain import drain
from channels.connection.keepalive import Keepalive
from channels.connection.write_buffer import WriteScheduler
from channels.contract.errors import LiveUnavailableError
from channels.contract.metrics import LiveMetrics, NoLiveMetrics
from channels.contract.ports import Ports
from channels.contract.settings import LiveSettings
from channels.hub.delivery import Delivery
from channels.hub.ears import Ears
from channels.hub.heartbeat import Heartbeat
from channels.hub.hub import Hub
from channels.hub.recovery import StreamRecovery
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codec_msgpack import MsgpackCodec
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.transports.admission import Admission
from channels.transports.poller import Poller
from channels.transports.streaming import Streaming
from channels.transports.websocket import WebSocketEndpoint
from channels.transports.websocket_format import WebSocketFormat

log = structlog.get_logger(__name__)


class Live:
    """Hold this process's live connections and deliver to them what pub/sub brings.

    `run` does the work behind the connections and has to run while `handle` answers; until pub/sub
    stands (`ready`), clients are told to try again. `close` drains: call it before cancelling `run`.
    """

    def __init__(
        self,
        redis: RedisClient,
        ports: Ports,
        group_of: Callable[[int], int],
        settings: LiveSettings | None = None,
        *,
        metrics: LiveMetrics | None = None,
    ) -> None:
        settings = settings or LiveSettings()
        metrics = metrics or NoLiveMetrics()
        self._settings = settings
        self.authenticator = ports.authenticator
        self.process_id = draw_process_id()
        channels = process_channels(self.process_id)
        self._hub = Hub(WriteScheduler(metrics.live_sent, patience=settings.close_deadline))
        self._registry = Registry(redis, self.process_id, group_of, self._hub.has_user, joined=metrics.live_joined)
        self._resync = StreamRecovery(self._hub, self._registry, ports.streams, settings, metrics)
        processes = Processes(redis, self.process_id, deadline=settings.process_deadline)
        book = PresenceStore(redis, group_of)
        self._attendance = Heartbeat(processes, book, self._resync.forgotten, settings, metrics)
        delivery = Delivery(self._hub, ports.presences, frozenset(channels), self._resync, self._hear)
        self._pubsub = PubSub(redis, channels, delivery, wanted=self._hub.wanted, deadline=settings.pubsub_deadline)
        self._keepalive = Keepalive(settings)
        self._admission = Admission(settings, self._hub.count_at)
        conversations = ConnectionManager(self._commands(ports), self._hub, self._keepalive, settings, metrics)
        poller = Poller()
        self._websocket = WebSocketEndpoint(
            conversations,
            [WebSocketFormat(codec) for codec in (JsonCodec(), ProtobufCodec(), MsgpackCodec())],
            self._admission,
            poller,
            limit=settings.message_bytes,
            unsent=settings.outbox_bytes,
        )
        self._emulation = Emulation(conversations, LivePublisher(redis, group_of), self.process_id)
        self.streaming = Streaming(conversations, self._emulation, self._admission, poller, settings)

    @property
    def ready(self) -> bool:
        """Tell whether messages arrive, so that clients can connect."""
        return self._pubsub.alive

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._hub)

    async def run(self) -> None:
        """Listen, register, keep alive and resynchronise until cancelled."""
        await self._attendance.enter()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pubsub.run(), name="live-pubsub")
            group.create_task(self._registry.run(), name="live-registry")
            group.create_task(self._keepalive.run(), name="live-keepalive")
            group.create_task(self._resync.run(), name="live-resync")
            group.create_task(self._resync.renew(), name="live-renew")
            group.create_task(self._attendance.run(), name="live-attendance")

    async def handle(self, request: web.Request, address: str | None = None) -> web.StreamResponse:
        """Answer `GET /connection/websocket`; `address` is the client's, where proxies stand before it."""
        return await self._websocket.handle(request, address or request.remote or "")

    def _hear(self, session: str, data: bytes | str) -> None:
        self._emulation.hear(session, data)

    async def close(self) -> None:
        """Drain: accept nobody, close all with 3001 at the configured pace, and unregister."""
        self._admission.stop()
        user_ids = self._hub.user_ids()
        await drain(self._hub.everyone, seconds=self._settings.drain_seconds, rate=self._settings.drain_rate)
        try:
            async with asyncio.timeout(self._settings.close_deadline + 1):
                await self._hub.empty.wait()
        except TimeoutError:
            log.warning("live_drain_incomplete", connections=len(self._hub))
        try:
            await self._registry.withdraw(user_ids)
            await self._attendance.leave(self.process_id)
        except LiveUnavailableError as error:
            log.warning("live_registrations_left_behind", error=str(error))

    def _commands(self, ports: Ports) -> CommandDispatcher:
        ears = Ears(hub=self._hub, registry=self._registry, pubsub=self._pubsub)
        desks = Desks(
            sessions=ConnectHandler(ports, ears, self._resync, self._keepalive, self._settings),
            subscriptions=SubscriptionHandler(ports, ears, self._settings),
            presences=ports.presences,
            operations=ports.operations,
        )
        return CommandDispatcher(desks, self._hub, self._settings)
