"""Connect and refresh: authentication of a connection, and the user's own streams."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping

from channels.connection.connection import Connection
from channels.connection.keepalive import Keepalive
from channels.connection.stream_state import STREAMS, StreamState
from channels.contract.errors import LiveUnavailableError, TokenInvalidError
from channels.contract.ports import Identity, Ports, Position
from channels.contract.settings import LiveSettings
from channels.hub.hub import Hub
from channels.hub.recovery import StreamRecovery
from channels.protocol import codes
from channels.protocol.effects import Connect, Refresh
from channels.protocol.messages import Message, reply, stream_result


class ConnectHandler:
    """Handles connect and refresh commands, and the end of connections."""

    def __init__(
        self,
        ports: Ports,
        hub: Hub,
        recovery: StreamRecovery,
        keepalive: Keepalive,
        settings: LiveSettings,
    ) -> None:
        self._authenticator, self._streams = ports.authenticator, ports.streams
        self._hub = hub
        self._recovery = recovery
        self._keepalive = keepalive
        self._settings = settings

    async def connect(self, connection: Connection, request: Connect) -> None:
        """Authenticate, and reply with the position of each stream or what was missed; raise `ChannelsError`."""
        identity = connection.preauthenticated
        if identity is None or request.token:
            identity = await self._authenticator.authenticate(request.token)
        # A connection that joins while messages arrive is held at the next loss. One that joined after the loss would
        # not be held, and would miss what is published until the subscriptions are back.
        if not self._recovery.subscribed:
            raise LiveUnavailableError("pub/sub is not connected")
        self._make_room(identity.user_id)
        # Nothing is missed in this order: receive and hold publications, register for writers, and only then read.
        connection.streams = {name: StreamState(name, limit=self._settings.held_publications) for name in STREAMS}
        self._hub.join(connection, identity)
        await self._recovery.register(connection, identity.user_id)
        # Only now can a disconnect order reach the connection, so a sign-out before this moment must be looked up.
        # The stars are read before the streams, so that what they publish after that arrives.
        await asyncio.gather(self._authenticator.confirm(identity), self._recovery.read_stars(identity.user_id))
        subs = {
            name: await self._open_stream(identity, state, request.since) for name, state in connection.streams.items()
        }
        connection.core.accepted()
        self._keepalive.start_pings(connection, asyncio.get_running_loop().time())
        connection.send(reply(request.id, "connect", self._connect_result(connection, identity, subs)))
        for state in connection.streams.values():
            for message in state.release():
                connection.send_shared(message)

    async def refresh(self, connection: Connection, request: Refresh) -> None:
        """Continue with a newer token of the same user; raise `ChannelsError`."""
        identity = await self._authenticator.authenticate(request.token)
        if connection.identity is None or identity.user_id != connection.identity.user_id:
            raise TokenInvalidError("the token belongs to another user")
        connection.identity = identity
        await self._authenticator.confirm(identity)
        connection.send(reply(request.id, "refresh", self._session_result(connection, identity)))

    async def check(self, connection: Connection) -> None:
        """Compare a connection with its streams; see `StreamRecovery.check`."""
        await self._recovery.check(connection)

    def leave(self, connection: Connection) -> None:
        """Remove a connection from the hub, and unregister the user after the last one."""
        last = self._hub.leave(connection)
        if last is not None:
            self._recovery.unregister(last)
        connection.identity = None
        connection.streams = {}

    def _make_room(self, user_id: int) -> None:
        """End the oldest connections of a user beyond the limit, so that the newest one is always accepted.

        After a change of network the old connections are dead without notice, while the client connects again. So an
        old connection ends for good (3504) only if it proves to be alive.
        """
        limit = self._settings.connections_per_user
        connections = self._hub.open_connections(user_id)
        surplus = connections[: max(0, len(connections) + 1 - limit)]
        # Those that are still to prove themselves count up to the limit once more, which bounds a user's connections.
        undecided = max(0, len(surplus) - limit)
        now = asyncio.get_running_loop().time()
        for position, connection in enumerate(surplus):
            if position < undecided or not (connection.core.connected and connection.answers_pings):
                connection.close(codes.FORCED_RECONNECT)
            elif not connection.core.superseded:
                self._keepalive.supersede(connection, now)

    async def _open_stream(self, identity: Identity, state: StreamState, since: Mapping[str, Position]) -> Message:
        position = since.get(state.name)
        if position is None:
            position = await self._streams.position(identity.user_id, state.name)
            state.advance(position.epoch, position.offset)
            return stream_result(position, recovered=None, publications=())
        recovery = await self._streams.recover(identity.user_id, state.name, position)
        state.advance(recovery.position.epoch, recovery.position.offset)
        items = recovery.publications if recovery.recovered else ()
        return stream_result(recovery.position, recovered=recovery.recovered, publications=items)

    def _connect_result(self, connection: Connection, identity: Identity, subs: Message) -> Message:
        result = {
            **self._session_result(connection, identity),
            "subs": subs,
            "ping": math.ceil(self._settings.ping_interval),
            "pong": connection.answers_pings,
            "time": int(time.time() * 1000),
        }
        return result | {"session": connection.session, "node": connection.node} if connection.session else result

    def _session_result(self, connection: Connection, identity: Identity) -> Message:
        """Return the fields that connect and refresh share, and set the deadline for the next token."""
        ttl = identity.expires_at - time.time()
        now = asyncio.get_running_loop().time()
        connection.deadlines.expiry = now + ttl + self._settings.expiry_grace
        self._keepalive.watch(connection)
        return {"client": connection.client_id, "version": "picshare", "expires": True, "ttl": max(1, int(ttl))}
