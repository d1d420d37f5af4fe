"""The live layer of one process: what it runs and closes, and the function that builds it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from channels.bus.addressing import new_process_id, process_channels
from channels.bus.presence_store import PresenceStore
from channels.bus.processes import Processes
from channels.bus.publisher import LivePublisher
from channels.bus.pubsub import PubSub
from channels.bus.redis_client import RedisClient
from channels.bus.registry import Registry
from channels.commands.connect import ConnectHandler
from channels.commands.connection_manager import ConnectionManager
from channels.commands.dispatcher import CommandDispatcher
from channels.commands.emulation import Emulation
from channels.commands.operations import OperationHandler
from channels.commands.subscriptions import SubscriptionHandler
from channels.connection.drain import drain
from channels.connection.keepalive import Keepalive
from channels.connection.write_buffer import WriteScheduler
from channels.contract.causes import Cause, Stage
from channels.contract.errors import LiveUnavailableError
from channels.contract.metrics import LiveMetrics, NoLiveMetrics
from channels.contract.ports import Authenticator, Ports
from channels.contract.settings import LiveSettings
from channels.contract.tracing import Tracing
from channels.hub.delivery import Delivery
from channels.hub.heartbeat import Heartbeat
from channels.hub.hub import Hub
from channels.hub.recovery import StreamRecovery
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codec_msgpack import MsgpackCodec
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.transports.accept_policy import AcceptPolicy
from channels.transports.graphql import GraphqlEndpoint
from channels.transports.poller import Poller
from channels.transports.projected import ProjectedStreams
from channels.transports.streaming import Streaming
from channels.transports.websocket import WebSocketEndpoint
from channels.transports.websocket_format import WebSocketFormat

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """The live connections of this process and the tasks behind them; made by `build_live`.

    `run` has to run while requests are handled. Until pub/sub is connected (`ready`), connects are answered with a
    temporary error. `close` drains the connections: await it before cancelling `run`.
    """

    process_id: bytes
    authenticator: Authenticator
    settings: LiveSettings
    hub: Hub
    pubsub: PubSub
    registry: Registry
    recovery: StreamRecovery
    heartbeat: Heartbeat
    keepalive: Keepalive
    accept_policy: AcceptPolicy
    websocket: WebSocketEndpoint
    streaming: Streaming
    graphql: GraphqlEndpoint | None
    projected: ProjectedStreams

    @property
    def ready(self) -> bool:
        """Return whether messages arrive, so that clients can connect."""
        return self.pubsub.connected

    @property
    def connections(self) -> int:
        """Return the number of open connections."""
        return len(self.hub)

    async def run(self) -> None:
        """Run pub/sub, registry, keepalive, recovery and heartbeat until cancelled."""
        # First of all: registrations of a process that is not on the list count as those of a dead one.
        await self.heartbeat.register()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.pubsub.run(), name="live-pubsub")
            group.create_task(self.registry.run(), name="live-registry")
            group.create_task(self.keepalive.run(), name="live-keepalive")
            group.create_task(self.recovery.run(), name="live-recovery")
            group.create_task(self.recovery.renew_registrations(), name="live-renewal")
            group.create_task(self.heartbeat.run(), name="live-heartbeat")

    async def handle(self, request: web.Request, address: str | None = None) -> web.StreamResponse:
        """Handle `GET /connection/websocket`; behind a proxy, `address` is the client's."""
        return await self.websocket.handle(request, address or request.remote or "")

    async def close(self) -> None:
        """Stop accepting, close all connections with 3001 at the configured pace, and remove the registrations."""
        self.accept_policy.stop()
        user_ids = self.hub.user_ids()
        await drain(self.hub.all_connections, seconds=self.settings.drain_seconds, rate=self.settings.drain_rate)
        try:
            async with asyncio.timeout(self.settings.close_deadline + 1):
                await self.hub.empty.wait()
        except TimeoutError:
            log.warning("live_drain_incomplete", connections=len(self.hub))
        try:
            await self.registry.unregister_all(user_ids)
            await self.heartbeat.unregister(self.process_id)
        except LiveUnavailableError as error:
            # The other processes expire this one after `process_deadline`.
            log.warning("live_registrations_left_behind", error=str(error))


def build_live(
    redis: RedisClient,
    ports: Ports,
    group_of: Callable[[int], int],
    settings: LiveSettings | None = None,
    *,
    metrics: LiveMetrics | None = None,
    tracing: Tracing | None = None,
) -> Live:
    """Return the live layer of this process, not yet running; `group_of` maps a user id to its slot group."""
    settings = settings or LiveSettings()
    metrics = metrics or NoLiveMetrics()
    process_id = new_process_id()
    channels = process_channels(process_id)
    scheduler = WriteScheduler(metrics.live_sent, linger=settings.close_deadline)
    hub = Hub(scheduler, group_of)
    keepalive = Keepalive(settings, scheduler)

    registry = Registry(redis, process_id, group_of, hub.has_user, on_online=metrics.live_online)
    recovery = StreamRecovery(hub, registry, ports.streams, ports.authenticator, settings, metrics=metrics)
    processes = Processes(redis, process_id, deadline=settings.process_deadline)
    heartbeat = Heartbeat(processes, PresenceStore(redis, group_of), recovery.was_expired, settings, metrics)

    # A cycle: commands of streaming clients arrive over pub/sub, and the sessions that handle them need a manager that
    # needs pub/sub. This function defers the look-up until the first message.
    def receive_input(session: str, data: bytes | str) -> None:
        emulation.receive(session, data)

    def count_delivery(cause: Cause, received_at: float, connections: int) -> None:
        metrics.event_stage(queue=cause.queue, stage=Stage.SOCKET, age=time.time() - cause.committed_at)
        if tracing is not None and cause.traceparent:
            tracing.begin("socket", cause.traceparent, start=received_at).end(connections=connections)

    delivery = Delivery(hub, ports.presences, frozenset(channels), recovery, receive_input, on_delivered=count_delivery)
    pubsub = PubSub(redis, channels, delivery, has_subscribers=hub.has_subscribers, deadline=settings.pubsub_deadline)

    subscriptions = SubscriptionHandler(ports, hub, pubsub, settings)
    commands = CommandDispatcher(
        connects=ConnectHandler(ports, hub, recovery, keepalive, settings),
        subscriptions=subscriptions,
        presences=ports.presences,
        operations=ports.operations,
        graphql=OperationHandler(ports, hub, subscriptions, settings),
        settings=settings,
    )
    manager = ConnectionManager(commands, hub, keepalive, settings, metrics)
    emulation = Emulation(manager, LivePublisher(redis, group_of), process_id)

    accept_policy, poller = AcceptPolicy(settings, hub.count_at_address), Poller()
    return Live(
        process_id=process_id,
        authenticator=ports.authenticator,
        settings=settings,
        hub=hub,
        pubsub=pubsub,
        registry=registry,
        recovery=recovery,
        heartbeat=heartbeat,
        keepalive=keepalive,
        accept_policy=accept_policy,
        websocket=WebSocketEndpoint(
            manager,
            [WebSocketFormat(codec) for codec in (JsonCodec(), ProtobufCodec(), MsgpackCodec())],
            accept_policy,
            poller,
            limit=settings.message_bytes,
            unsent=settings.write_buffer_bytes,
        ),
        streaming=Streaming(manager, emulation, accept_policy, poller, settings),
        graphql=None
        if ports.graphql is None
        else GraphqlEndpoint(ports.graphql, manager, accept_policy, poller, settings),
        projected=ProjectedStreams(manager, accept_policy, poller, settings),
    )
