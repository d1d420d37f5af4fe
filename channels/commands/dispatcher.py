"""Do what the protocol core decided: what needs no engine at once, questions in the time they take."""

from __future__ import annotations

import asyncio

from channels.commands.connect import ConnectHandler
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
    LocalEffect,
    NoOp,
    ReadHistory,
    ReadPresence,
    Refresh,
    Reply,
    Request,
    Subscribe,
    Unsubscribe,
)
from channels.protocol.messages import Message, RawJson, error_reply, refusal, reply

# Connects answered at the same time. The engine's answers to them come together; where ten thousand come back, each
# turn of the event loop would have to go on with all of them, and everybody else would wait.
_CONNECTING = 64


class CommandDispatcher:
    """Carry out the effects of one process's connections; each request ends within the command deadline."""

    def __init__(
        self,
        *,
        connects: ConnectHandler,
        subscriptions: SubscriptionHandler,
        presences: Presences,
        operations: Operations,
        settings: LiveSettings,
    ) -> None:
        self._connects = connects
        self._subscriptions = subscriptions
        self._presences = presences
        self._operations = operations
        self._settings = settings
        self._connecting = asyncio.Semaphore(_CONNECTING)

    def execute(self, connection: Connection, effect: LocalEffect) -> None:
        """Do what needs no engine."""
        match effect:
            case NoOp():
                pass
            case Reply(message):
                connection.send(message)
            case Close(disconnect):
                connection.close(disconnect)
            case Unsubscribe():
                self._subscriptions.unsubscribe(connection, effect)

    async def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request; raises nothing but what is a defect. Connects wait until it is their turn."""
        if not isinstance(request, Connect):
            await self._handle_within_deadline(connection, request)
            return
        try:
            async with asyncio.timeout(self._settings.connect_deadline):
                await self._connecting.acquire()
        except TimeoutError:
            # Whoever waited so long has most likely gone, and those behind it should not wait for that, too.
            self._refuse(connection, request, ErrorCode.INTERNAL)
            return
        try:
            if connection.closed_with is None:  # else it went while it waited
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
            connection.send(refusal(request.id, error.code, str(error), temporary=error.temporary))
        except ChannelsError as error:
            self._refuse(connection, request, error_code_of(error))
        except TimeoutError:
            self._refuse(connection, request, ErrorCode.INTERNAL)
        else:
            if isinstance(request, Refresh):
                await self._connects.check(connection)

    def leave(self, connection: Connection) -> None:
        """Take a connection out of everything that it hears."""
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
            case CallMethod():
                if connection.identity is not None:
                    document = await self._operations.call(connection.identity, request.method, request.data)
                    connection.send(reply(request.id, "rpc", {"data": RawJson(document)}))

    async def _presence(self, connection: Connection, request: ReadPresence) -> None:
        if connection.identity is None:
            return  # it is being closed
        present = await self._presences.members(connection.identity, request.channel)
        if request.numbers:
            connection.send(
                reply(request.id, "presence_stats", {"num_clients": len(present), "num_users": len(present)})
            )
        else:
            who = {person.user: _client_info(person) for person in present}
            connection.send(reply(request.id, "presence", {"presence": who}))

    def _refuse(self, connection: Connection, request: Request, code: ErrorCode) -> None:
        if isinstance(request, Connect):
            self.leave(connection)
            connection.core.refused()
        connection.send(error_reply(request.id, code))


def _client_info(person: Member) -> Message:
    # How many devices somebody has, and which connection is whose, is nobody else's business.
    return {"user": person.user, "client": person.user}
