"""The live layer's front: what a process needs to hold live connections, put together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import structlog
from aiohttp import web

from channels.bus.addressing import draw_process_id, process_channels
from channels.bus.engine import Engine
from channels.bus.pubsub import PubSub
from channels.bus.registry import Registry
from channels.commands import Commands, Ears, Ports
from channels.delivery import Delivery
from channels.errors import LiveUnavailableError
from channels.hub import Hub
from channels.keepalive import Keepalive
from channels.metrics import LiveMetrics, NoLiveMetrics
from channels.ports import Authenticator, Authorizer, Streams
from channels.protocol import codes
from channels.protocol.codec import Codec
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codec_msgpack import MsgpackCodec
from channels.resync import Resync
from channels.settings import LiveSettings
from channels.transports.websocket import LiveEndpoint

log = structlog.get_logger(__name__)

_DRAIN_STEP = 0.05  # seconds between two slices of connections that are closed
_DRAIN_SLICE = 50  # connections a slice at least


class Live:
    """Hold this process's live connections and deliver to them what pub/sub brings.

    `run` does the work behind the connections and has to run while `handle` answers; until pub/sub
    stands (`ready`), clients are told to try again. `close` drains: call it before cancelling `run`.
    """

    def __init__(  # noqa: PLR0917 - the composition root of this package
        self,
        redis: Engine,
        authenticator: Authenticator,
        streams: Streams,
        authorizer: Authorizer,
        group_of: Callable[[int], int],
        settings: LiveSettings | None = None,
        *,
        metrics: LiveMetrics | None = None,
    ) -> None:
        settings = settings or LiveSettings()
        metrics = metrics or NoLiveMetrics()
        self._settings = settings
        self._codecs: tuple[Codec, ...] = (JsonCodec(), MsgpackCodec())
        self.process_id = draw_process_id()
        channels = process_channels(self.process_id)
        self._hub = Hub()
        self._registry = Registry(redis, self.process_id, group_of, self._hub.has_user)
        self._resync = Resync(self._hub, self._registry, streams, settings, metrics)
        delivery = Delivery(self._hub, frozenset(channels), self._resync)
        self._pubsub = PubSub(redis, channels, delivery, wanted=self._hub.wanted, deadline=settings.pubsub_deadline)
        self._keepalive = Keepalive(settings)
        ports = Ports(authenticator=authenticator, streams=streams, authorizer=authorizer)
        ears = Ears(hub=self._hub, registry=self._registry, pubsub=self._pubsub)
        commands = Commands(ports, ears, self._resync, self._keepalive, settings)
        self._endpoint = LiveEndpoint(commands, self._hub, self._keepalive, settings, metrics)

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
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pubsub.run(), name="live-pubsub")
            group.create_task(self._registry.run(), name="live-registry")
            group.create_task(self._keepalive.run(), name="live-keepalive")
            group.create_task(self._resync.run(), name="live-resync")
            group.create_task(self._resync.renew(), name="live-renew")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /connection/websocket`."""
        return await self._endpoint.handle(request, self._codecs)

    async def close(self) -> None:
        """Drain: accept nobody, close all with 3001 spread over the drain window, and unregister."""
        self._endpoint.stop_accepting()
        user_ids = self._hub.user_ids()
        connections = self._hub.everyone()
        random.shuffle(connections)
        steps = max(1, int(self._settings.drain_seconds / _DRAIN_STEP))
        size = max(_DRAIN_SLICE, -(-len(connections) // steps))
        for start in range(0, len(connections), size):
            for connection in connections[start : start + size]:
                connection.close(codes.SHUTDOWN)
            await asyncio.sleep(_DRAIN_STEP)
        for _ in range(int((self._settings.close_deadline + 1) / _DRAIN_STEP)):
            if not len(self._hub):
                break
            await asyncio.sleep(_DRAIN_STEP)
        else:
            log.warning("live_drain_incomplete", connections=len(self._hub))
        try:
            await self._registry.withdraw(user_ids)
        except LiveUnavailableError as error:
            log.warning("live_registrations_left_behind", error=str(error))
