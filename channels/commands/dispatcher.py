"""Execute protocol effects: local ones at once, those that need I/O as tasks."""

from __future__ import annotations

import asyncio

from channels.commands.connect import ConnectHandler
from channels.commands.operations import OperationHandler
from channels.commands.subscriptions import SubscriptionHandler
from channels.connection.connection import Connection
from channels.contract.errors import ChannelsError, OperationError, TokenInvalidError
from channels.contract.ports import Member, Operations, Presences
from channels.contract.settings import LiveSettings
from channels.protocol import codes
from channels.protocol.codes import ErrorCode, error_code_of
from channels.protocol.effects import (
    CallMethod,
    Close,
    Connect,
    EndOperation,
    LocalEffect,
    NoOp,
    ReadHistory,
    ReadPresence,
    Refresh,
    Reply,
    Request,
    StartOperation,
    Subscribe,
    Unsubscribe,
)
from channels.protocol.messages import Message, RawJson, custom_error_reply, error_reply, reply

# Connects handled concurrently. When ten thousand clients reconnect, the stores' responses arrive together, and without
# a limit one turn of the event loop would resume all of them while everything else waits.
_CONNECTING = 64


class CommandDispatcher:
    """Executes the effects of this process's connections; each request ends within the command deadline."""

    def __init__(
        self,
        *,
        connects: ConnectHandler,
        subscriptions: SubscriptionHandler,
        presences: Presences,
        operations: Operations,
        graphql: OperationHandler,
        settings: LiveSettings,
    ) -> None:
        self._connects = connects
        self._subscriptions = subscriptions
        self._presences = presences
        self._operations = operations
        self._graphql = graphql
        self._settings = settings
        self._connecting = asyncio.Semaphore(_CONNECTING)

    def execute(self, connection: Connection, effect: LocalEffect) -> None:
        """Execute an effect that needs no I/O."""
        match effect:
            case NoOp():
                pass
            case Reply(message):
                connection.send(message)
            case Close(disconnect):
                connection.close(disconnect)
            case Unsubscribe():
                self._subscriptions.unsubscribe(connection, effect)
            case EndOperation():
                self._graphql.end(connection, effect)

    async def handle(self, connection: Connection, request: Request) -> None:
        """Handle a request and send its reply; connects wait for their turn. An error that is raised is a defect."""
        if not isinstance(request, Connect):
            await self._handle_within_deadline(connection, request)
            return
        try:
            async with asyncio.timeout(self._settings.connect_deadline):
                await self._connecting.acquire()
        except TimeoutError:
            # The client has most likely given up, and those behind it must not wait for its connect as well.
            self._reply_error(connection, request, ErrorCode.INTERNAL)
            return
        try:
            if connection.closed_with is None:  # it may have closed while it waited
                await self._handle_within_deadline(connection, request)
        finally:
            self._connecting.release()

    async def _handle_within_deadline(self, connection: Connection, request: Request) -> None:
        try:
            async with asyncio.timeout(self._settings.command_deadline):
                await self._dispatch(connection, request)
        except TokenInvalidError:
            connection.close(codes.INVALID_TOKEN)
        except OperationError as error:
            connection.send(custom_error_reply(request.id, error.code, str(error), temporary=error.temporary))
        except ChannelsError as error:
            self._reply_error(connection, request, error_code_of(error))
        except TimeoutError:
            self._reply_error(connection, request, ErrorCode.INTERNAL)
        else:
            # Outside the command deadline: the check retries until the stores are available.
            if isinstance(request, Refresh):
                await self._connects.check(connection)

    def leave(self, connection: Connection) -> None:
        """Remove a connection from the hub and from all subscriptions."""
        self._connects.leave(connection)

    async def _dispatch(self, connection: Connection, request: Request) -> None:
        match request:
            case Connect():
                await self._connects.connect(connection, request)
            case Refresh():
                await self._connects.refresh(connection, request)
            case Subscribe():
                await self._subscriptions.subscribe(connection, request)
            case ReadHistory():
                await self._subscriptions.history(connection, request)
            case ReadPresence():
                await self._presence(connection, request)
            case StartOperation():
                await self._graphql.start(connection, request)
            case CallMethod():
                if connection.identity is not None:
                    document = await self._operations.call(connection.identity, request.method, request.data)
                    connection.send(reply(request.id, "rpc", {"data": RawJson(document)}))

    async def _presence(self, connection: Connection, request: ReadPresence) -> None:
        if connection.identity is None:
            return  # the connection is being closed
        present = await self._presences.members(connection.identity, request.channel)
        if request.numbers:
            connection.send(
                reply(request.id, "presence_stats", {"num_clients": len(present), "num_users": len(present)})
            )
        else:
            clients = {member.user: _client_info(member) for member in present}
            connection.send(reply(request.id, "presence", {"presence": clients}))

    def _reply_error(self, connection: Connection, request: Request, code: ErrorCode) -> None:
        if isinstance(request, Connect):
            self.leave(connection)
            connection.core.refused()
        connection.send(error_reply(request.id, code))


def _client_info(member: Member) -> Message:
    # The protocol requires a client id. It is the user's id, since other users must not learn how many devices a user
    # has, or on which of them the user is connected.
    return {"user": member.user, "client": member.user}
