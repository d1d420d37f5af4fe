"""Do what the protocol core decided: connect, subscribe, unsubscribe, refresh."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from channels.bus.addressing import topic_channel
from channels.bus.pubsub import PubSub
from channels.bus.registry import Registry
from channels.connection import Connection
from channels.errors import (
    ChannelsError,
    LiveUnavailableError,
    PermissionDeniedError,
    TokenInvalidError,
)
from channels.hub import Hub
from channels.keepalive import Keepalive
from channels.ports import Authenticator, Authorizer, Grant, Identity, Position, Streams
from channels.protocol import codes
from channels.protocol.codes import ErrorCode, error_code_of
from channels.protocol.core import Answer, Close, Connect, Effect, Nothing, Refresh, Subscribe, Unsubscribe
from channels.protocol.messages import Message, error_reply, reply, stream_result
from channels.resync import Resync
from channels.settings import LiveSettings
from channels.streams import STREAMS, StreamState

_AUTHORIZATIONS = 3  # attempts, when leave is taken back while it is being given


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """What the live layer asks of the rest."""

    authenticator: Authenticator
    streams: Streams
    authorizer: Authorizer


@dataclass(frozen=True, kw_only=True, slots=True)
class Ears:
    """What makes this process hear of its people: its connections, their registration, pub/sub."""

    hub: Hub
    registry: Registry
    pubsub: PubSub


class Commands:
    """Carry out the effects of one process's connections; each ends within the command deadline."""

    def __init__(self, ports: Ports, ears: Ears, resync: Resync, keepalive: Keepalive, settings: LiveSettings) -> None:
        self._ports = ports
        self._resync = resync
        self._hub, self._registry, self._pubsub = ears.hub, ears.registry, ears.pubsub
        self._keepalive = keepalive
        self._settings = settings

    async def perform(self, connection: Connection, effect: Effect) -> None:
        """Do what an effect says and answer; raises nothing but what is a defect."""
        match effect:
            case Nothing():
                pass
            case Answer(message):
                connection.send(message)
            case Close(disconnect):
                connection.close(disconnect)
            case Unsubscribe():
                self._unsubscribe(connection, effect)
            case Connect() | Subscribe() | Refresh():
                connection.busy = True
                await self._answer(connection, effect)
                if isinstance(effect, Refresh):
                    await self._resync.check(connection)
                connection.busy = False

    def leave(self, connection: Connection) -> None:
        """Take a connection out of everything that it hears."""
        last = self._hub.leave(connection)
        if last is not None:
            self._registry.release(last)
        connection.identity = None
        connection.streams = {}

    async def _answer(self, connection: Connection, effect: Connect | Subscribe | Refresh) -> None:
        try:
            async with asyncio.timeout(self._settings.command_deadline):
                match effect:
                    case Connect():
                        await self._connect(connection, effect)
                    case Subscribe():
                        await self._subscribe(connection, effect)
                    case Refresh():
                        await self._refresh(connection, effect)
        except TokenInvalidError:
            connection.close(codes.INVALID_TOKEN)
        except ChannelsError as error:
            self._refuse(connection, effect, error_code_of(error))
        except TimeoutError:
            self._refuse(connection, effect, ErrorCode.INTERNAL)

    def _refuse(self, connection: Connection, effect: Connect | Subscribe | Refresh, code: ErrorCode) -> None:
        if isinstance(effect, Connect):
            self.leave(connection)
            connection.core.refused()
        connection.send(error_reply(effect.id, code))

    async def _connect(self, connection: Connection, effect: Connect) -> None:
        identity = await self._ports.authenticator.authenticate(effect.token)
        # Who joins while pub/sub stands is held at its next loss; who joined after the loss would not be.
        if not self._pubsub.alive:
            raise LiveUnavailableError("pub/sub is not connected")
        if self._hub.count(identity.user_id) >= self._settings.connections_per_user:
            connection.close(codes.CONNECTION_LIMIT)
            return
        # In this order nothing is missed: hear and hold back, be found by writers, and only then read.
        connection.streams = {name: StreamState(name, limit=self._settings.held_publications) for name in STREAMS}
        self._hub.join(connection, identity)
        await self._registry.register([identity.user_id])
        await self._ports.authenticator.confirm(identity)
        subs = {
            name: await self._open_stream(identity, state, effect.since) for name, state in connection.streams.items()
        }
        connection.core.accepted()
        self._keepalive.start_pings(connection, asyncio.get_running_loop().time())
        connection.send(reply(effect.id, "connect", self._connect_result(connection, identity, subs)))
        for state in connection.streams.values():
            for frame in state.release():
                connection.send_shared(frame)

    async def _open_stream(self, identity: Identity, state: StreamState, since: Mapping[str, Position]) -> Message:
        wanted = since.get(state.name)
        if wanted is None:
            position = await self._ports.streams.position(identity.user_id, state.name)
            state.place(position.epoch, position.offset)
            return stream_result(position, recovered=None, publications=())
        recovery = await self._ports.streams.recover(identity.user_id, state.name, wanted)
        state.place(recovery.position.epoch, recovery.position.offset)
        items = recovery.publications if recovery.recovered else ()
        return stream_result(recovery.position, recovered=recovery.recovered, publications=items)

    def _connect_result(self, connection: Connection, identity: Identity, subs: Message) -> Message:
        return {
            **self._session_result(connection, identity),
            "subs": subs,
            "ping": math.ceil(self._settings.ping_interval),
            "pong": True,
            "time": int(time.time() * 1000),
        }

    def _session_result(self, connection: Connection, identity: Identity) -> Message:
        """Return what connect and refresh have in common, and expect the next token by then."""
        ttl = identity.expires_at - time.time()
        now = asyncio.get_running_loop().time()
        connection.deadlines.expiry = now + ttl + self._settings.expiry_grace
        self._keepalive.watch(connection)
        return {"client": connection.client_id, "version": "picshare", "expires": True, "ttl": max(1, int(ttl))}

    async def _subscribe(self, connection: Connection, effect: Subscribe) -> None:
        if effect.channel in connection.channels or effect.channel in connection.streams:
            connection.send(error_reply(effect.id, ErrorCode.ALREADY_SUBSCRIBED))
            return
        if len(connection.channels) >= self._settings.subscriptions:
            connection.send(error_reply(effect.id, ErrorCode.LIMIT_EXCEEDED))
            return
        try:
            for _ in range(_AUTHORIZATIONS):
                # A revocation that arrives from here on is noted, and the question put again.
                connection.revoked = set()
                if await self._try_to_subscribe(connection, effect):
                    return
        finally:
            connection.revoked = None
        raise PermissionDeniedError(f"leave to hear {effect.channel} was taken back")

    async def _try_to_subscribe(self, connection: Connection, effect: Subscribe) -> bool:
        identity = connection.identity
        if identity is None:
            raise LiveUnavailableError("the connection is being closed")
        grant: Grant = await self._ports.authorizer.authorize(identity, effect.channel)
        async with self._pubsub.listening(topic_channel(grant.topic)):
            if connection.revoked is not None and grant.owner_id in connection.revoked:
                return False
            self._hub.subscribe(connection, effect.channel, grant)
            connection.send(reply(effect.id, "subscribe", {}))
            return True

    def _unsubscribe(self, connection: Connection, effect: Unsubscribe) -> None:
        connection.streams.pop(effect.channel, None)
        self._hub.unsubscribe(connection, effect.channel)
        connection.send(reply(effect.id, "unsubscribe", {}))

    async def _refresh(self, connection: Connection, effect: Refresh) -> None:
        identity = await self._ports.authenticator.authenticate(effect.token)
        if connection.identity is None or identity.user_id != connection.identity.user_id:
            raise TokenInvalidError("a token of another person")
        connection.identity = identity
        await self._ports.authenticator.confirm(identity)
        connection.send(reply(effect.id, "refresh", self._session_result(connection, identity)))
