"""Subscribe, unsubscribe and history: permissions of topics, and retained publications of streams."""

from __future__ import annotations

from channels.bus.addressing import topic_channel
from channels.bus.pubsub import PubSub
from channels.connection.connection import Connection
from channels.connection.stream_state import STREAMS
from channels.contract.errors import LiveUnavailableError, NotOfferedError, PermissionDeniedError
from channels.contract.ports import Grant, Identity, Ports, Recovery
from channels.contract.settings import LiveSettings
from channels.hub.hub import Hub
from channels.hub.pending_subscribes import PermissionChanges
from channels.protocol.codes import ErrorCode
from channels.protocol.effects import ReadHistory, Subscribe, Unsubscribe
from channels.protocol.messages import RawJson, error_reply, history_result, reply

_AUTHORIZATIONS = 3  # attempts, if the permission is revoked or the topic changes during the subscribe


class SubscriptionHandler:
    """Handles subscribe, unsubscribe and history commands."""

    def __init__(self, ports: Ports, hub: Hub, pubsub: PubSub, settings: LiveSettings) -> None:
        self._authorizer, self._streams = ports.authorizer, ports.streams
        self._hub, self._pubsub = hub, pubsub
        self._settings = settings

    async def subscribe(self, connection: Connection, request: Subscribe) -> None:
        """Subscribe if the user is permitted to; raise `ChannelsError`."""
        if request.channel in connection.channels or request.channel in connection.streams:
            connection.send(error_reply(request.id, ErrorCode.ALREADY_SUBSCRIBED))
            return
        if len(connection.channels) >= self._settings.subscriptions:
            connection.send(error_reply(request.id, ErrorCode.LIMIT_EXCEEDED))
            return
        for _ in range(_AUTHORIZATIONS):
            # Collects the orders that arrive from here on; one that concerns this grant repeats the attempt.
            with self._hub.subscribes.watch_permissions(connection) as changes:
                if await self._try_to_subscribe(connection, request, changes):
                    return
        raise PermissionDeniedError(f"the permission for {request.channel} was revoked")

    def unsubscribe(self, connection: Connection, effect: Unsubscribe) -> None:
        """End a subscription to a topic or to one of the user's own streams; reply in any case."""
        connection.streams.pop(effect.channel, None)
        self._hub.unsubscribe(connection, effect.channel)
        connection.send(reply(effect.id, "unsubscribe", {}))

    async def history(self, connection: Connection, request: ReadHistory) -> None:
        """Reply with retained publications of one of the user's own streams; raise `ChannelsError`."""
        identity = _identity_of(connection)
        if request.channel not in STREAMS:
            raise NotOfferedError(f"{request.channel} has no history")
        found = await self._read(identity, request)
        if not found.recovered:
            connection.send(error_reply(request.id, ErrorCode.UNRECOVERABLE_POSITION))
            return
        items = list(reversed(found.publications)) if request.reverse else list(found.publications)
        connection.send(reply(request.id, "history", history_result(found.position, items[: request.limit])))

    async def _read(self, identity: Identity, request: ReadHistory) -> Recovery:
        user_id, channel = identity.user_id, request.channel
        if request.limit == 0:
            position = await self._streams.position(user_id, channel)
            return Recovery(recovered=True, publications=(), position=position)
        if request.since is None:
            return await self._streams.history(user_id, channel, request.limit, newest=request.reverse)
        return await self._streams.recover(user_id, channel, request.since)

    async def _try_to_subscribe(self, connection: Connection, request: Subscribe, changes: PermissionChanges) -> bool:
        identity = _identity_of(connection)
        grant: Grant = await self._authorizer.authorize(identity, request.channel)
        # Once for all subscriptions of a user; orders keep the list up to date.
        blocks = None if self._hub.blocks.is_loaded(identity.user_id) else await self._authorizer.blocks(identity)
        topic = topic_channel(grant.topic)
        async with self._pubsub.subscription(topic):
            with self._hub.subscribes.watch_topic(topic) as flag:
                # The initial data were read before the subscription and may be stale. Read them again, and repeat the
                # whole attempt if a message arrives during that read, since they may or may not contain it.
                if grant.data is not None:
                    grant = await self._authorizer.authorize(_identity_of(connection), request.channel)
            if flag.changed or changes.concern(grant.owner_id):
                return False
            if blocks is not None:
                self._hub.blocks.load(identity.user_id, blocks)
            self._hub.subscribe(connection, request.channel, grant)
            result = {} if grant.data is None else {"data": RawJson(grant.data)}
            connection.send(reply(request.id, "subscribe", result))
            return True


def _identity_of(connection: Connection) -> Identity:
    if connection.identity is None:
        raise LiveUnavailableError("the connection is being closed")
    return connection.identity
