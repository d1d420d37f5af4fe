"""Operations of GraphQL clients: start a subscription on a stream or a topic, and end it."""

from __future__ import annotations

from channels.commands.subscriptions import SubscriptionHandler
from channels.connection.connection import Connection
from channels.connection.graphql_connection import GraphqlConnection, Operation
from channels.connection.stream_state import STREAMS, StreamState
from channels.contract.errors import LiveUnavailableError, NotOfferedError, OperationRefusedError
from channels.contract.ports import GraphqlSubscription, Identity, Ports
from channels.contract.settings import LiveSettings
from channels.hub.hub import Hub
from channels.protocol.codes import ErrorCode
from channels.protocol.effects import EndOperation, StartOperation, Subscribe
from channels.protocol.messages import RawJson, error_reply, reply


class OperationHandler:
    """Handles the subscriptions of GraphQL connections; a connection runs at most `settings.subscriptions`."""

    def __init__(self, ports: Ports, hub: Hub, subscriptions: SubscriptionHandler, settings: LiveSettings) -> None:
        self._documents, self._streams, self._authorizer = ports.graphql, ports.streams, ports.authorizer
        self._hub = hub
        self._subscriptions = subscriptions
        self._settings = settings

    async def start(self, connection: Connection, request: StartOperation) -> None:
        """Start a subscription; raise `ChannelsError`."""
        if self._documents is None or not isinstance(connection, GraphqlConnection):
            raise NotOfferedError("there are no GraphQL subscriptions on this connection")
        if len(connection.operations) >= self._settings.subscriptions:
            connection.send(error_reply(request.id, ErrorCode.LIMIT_EXCEEDED))
            return
        try:
            wanted = await self._documents.subscription(request.request, _identity(connection))
        except OperationRefusedError as error:
            connection.fail(request.id, error.entries)
            return
        if wanted.channel in STREAMS:
            await self._start_on_stream(connection, request.id, wanted)
        else:
            await self._start_on_topic(connection, request.id, wanted)

    def end(self, connection: Connection, effect: EndOperation) -> None:
        """End a subscription, and the one to its topic after its last operation."""
        if not isinstance(connection, GraphqlConnection):
            return
        operation = connection.remove(effect.id)
        if operation is not None and not connection.uses(operation.channel):
            self._hub.unsubscribe(connection, operation.channel)

    async def _start_on_stream(
        self, connection: GraphqlConnection, operation_id: str, wanted: GraphqlSubscription
    ) -> None:
        name, identity = wanted.channel, _identity(connection)
        # Held until what was missed is sent: publications that arrive meanwhile are queued behind it.
        state = StreamState(name, limit=self._settings.held_publications)
        operation = Operation(operation_id, name, wanted.projection, state)
        if wanted.since is None:
            # The connection has read the position of its streams, and follows them since.
            current = connection.streams[name]
            connection.begin_at(operation, current.epoch or "")
            state.offset = current.offset
            connection.add(operation)
        else:
            connection.add(operation)
            recovery = await self._streams.recover(identity.user_id, name, wanted.since)
            if not recovery.recovered:
                connection.send(error_reply(operation_id, ErrorCode.UNRECOVERABLE_POSITION))
                return
            connection.begin_at(operation, recovery.position.epoch)
            for item in recovery.publications:
                state.offset = item.offset
                connection.send_recovered(operation, item)
            state.advance(recovery.position.epoch, recovery.position.offset)
        connection.release(operation)

    async def _start_on_topic(
        self, connection: GraphqlConnection, operation_id: str, wanted: GraphqlSubscription
    ) -> None:
        identity = _identity(connection)
        is_subscribed = wanted.channel in connection.channels
        # Added before the permission is known, but nothing arrives before the hub has the subscription.
        connection.add(Operation(operation_id, wanted.channel, wanted.projection))
        if not is_subscribed:
            await self._subscriptions.subscribe(connection, Subscribe(operation_id, wanted.channel))
            return
        # An order that ends the permission ends the operations too, so only the current state is missing.
        grant = await self._authorizer.authorize(identity, wanted.channel)
        if grant.data is not None:
            connection.send(reply(operation_id, "subscribe", {"data": RawJson(grant.data)}))


def _identity(connection: Connection) -> Identity:
    if connection.identity is None:
        raise LiveUnavailableError("the connection is being closed")
    return connection.identity
