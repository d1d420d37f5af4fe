"""Client of a single Redis server: one connection, shared by all callers of this process."""

from __future__ import annotations

import asyncio
from typing import Any

import redis.exceptions as driver

from storage.circuit import Circuit, CircuitPolicy, CircuitState, Permit
from storage.redis.address import RedisAddress
from storage.redis.connection import NOT_MASTER, RedisConnection, encode_command
from storage.redis.stale_data import connect
from storage.redis.subscriber import MessageListener, Subscriber

# A server that is silent costs each command a timeout; one that refuses connections costs nothing, and is not counted.
SILENCE = CircuitPolicy(failures=1, pause=0.5, max_pause=2.0)


class SharedConnection:
    """Connection to one server, opened at the first command and again after a loss; see `storage.redis.client.Redis`.

    Commands are pipelined: each is written at once, and replies arrive in the order of the commands. Timeouts are in
    seconds.

    A server that refuses a command because it is not a master counts as lost, although its connections stay open: the
    address may lead to its successor by now. The command is sent once more on a new connection. Subscribers are
    closed then, and also when commands reach another server than they do, since nothing is published there any more.

    After a server was silent for a timeout, commands are refused at once, while a connection to it is tried from time
    to time: no caller waits for that. `circuit` shows it.
    """

    sharded = False

    def __init__(
        self, address: RedisAddress, *, reply_timeout: float, connect_timeout: float, circuit: Circuit | None = None
    ) -> None:
        self._circuit = circuit or Circuit(policy=SILENCE)
        self._address = address
        self._reply_timeout = reply_timeout
        self._connect_timeout = connect_timeout
        self._connection: RedisConnection | None = None
        # Connections that `reconnect` replaced while replies were outstanding; each closes itself after the last one.
        self._retired: set[RedisConnection] = set()
        self._subscribers: set[Subscriber] = set()
        self._opening: asyncio.Task[RedisConnection] | None = None

    async def execute_command(self, *command: bytes | str | int) -> Any:
        """Send a command and return its reply; raise the driver's error if Redis refused it or did not reply."""
        encoded, connection = encode_command(*command), self._connection
        if connection is None or connection.lost:
            reply = await (await self._open()).send(encoded)
        else:
            try:
                reply = await connection.send(encoded)
            except driver.ConnectionError:
                # Lost while idle, as a rule: the server closed it. A second loss in a row is reported.
                reply = await (await self._open()).send(encoded)
            else:
                if isinstance(reply, NOT_MASTER):
                    self._abandon(connection, reply)
                    reply = await (await self._open()).send(encoded)
        if isinstance(reply, driver.RedisError):
            raise reply
        return reply

    async def execute_asking(self, *command: bytes | str | int) -> Any:
        """Send a command for a slot that is being migrated to this server, after ASKING."""
        connection = await self._open()
        # Both are written without an await in between: ASKING applies to the connection's next command, which must
        # not be another caller's.
        _, reply = await asyncio.gather(
            connection.send(encode_command("ASKING")), connection.send(encode_command(*command))
        )
        if isinstance(reply, NOT_MASTER):
            self._abandon(connection, reply)
        if isinstance(reply, driver.RedisError):
            raise reply
        return reply

    async def execute_everywhere(self, *command: bytes | str | int) -> dict[RedisAddress, Any]:
        """Send a command to this server, which is the only one."""
        return {self._address: await self.execute_command(*command)}

    async def refresh_slots(self) -> None:
        """Do nothing: a single server has all keys."""

    def reconnect(self) -> None:
        """Open a new connection for the next commands, because the present one may be dead without notice.

        Outstanding replies are still received on the old connection, or time out there.
        """
        self._retired = {connection for connection in self._retired if not connection.lost}
        if self._connection is not None:
            self._retired.add(self._connection)
            self._connection.retire()
            self._connection = None

    def slot_of(self, _key: bytes) -> int:
        """Return the one slot that all keys of a single server share."""
        return 0

    def server_of(self, _name: bytes) -> RedisAddress:
        """Return the server."""
        return self._address

    async def subscriber(self, server: RedisAddress, listener: MessageListener) -> Subscriber:
        """Open a connection for pub/sub; `listener` receives its messages."""
        subscriber = Subscriber(listener, reply_timeout=self._reply_timeout)
        await connect(server, subscriber, timeout=self._connect_timeout)
        self._subscribers = {other for other in self._subscribers if not other.lost} | {subscriber}
        if self._connection is not None and self._connection.run_id != subscriber.run_id:
            self.reconnect()
        return subscriber

    async def aclose(self) -> None:
        """Close the connection; outstanding commands fail with `ConnectionError`."""
        if (opening := self._opening) is not None:
            opening.cancel()
            # It ends once its transport is closed; a transport that outlives the event loop is never closed.
            await asyncio.wait([opening])
        for connection in (*self._retired, *([] if self._connection is None else [self._connection])):
            await connection.close()

    def _abandon(self, connection: RedisConnection, reason: driver.RedisError) -> None:
        """Stop using a connection whose server is not a master any more."""
        # Another command may have found it out before, and then there is a new connection.
        if connection is self._connection:
            self.reconnect()
        for subscriber in self._subscribers:
            subscriber.give_up(driver.ConnectionError(f"the server does not act as a master: {reason}"))

    async def _open(self) -> RedisConnection:
        if self._connection is not None and not self._connection.lost:
            return self._connection
        if self._connection is not None and self._connection.silent:
            self._record_silence(self._connection)
        if self._opening is None:
            permit = self._circuit.admit()
            if permit is None:
                raise driver.ConnectionError(f"{self._address} was silent a moment ago, and is not asked at present")
            self._opening = asyncio.create_task(self._connect(permit))
            self._opening.add_done_callback(self._opened)
        if self._circuit.state is not CircuitState.CLOSED:
            raise driver.ConnectionError(f"{self._address} was silent, and a connection to it is being tried")
        # Shielded, because the task is shared: a cancelled caller must not cancel it for the others.
        return await asyncio.shield(self._opening)

    def _opened(self, task: asyncio.Task[RedisConnection]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._connection = connection = task.result()
            for subscriber in self._subscribers:
                if subscriber.run_id != connection.run_id:
                    subscriber.give_up(driver.ConnectionError("commands reach another server"))

    async def _connect(self, permit: Permit) -> RedisConnection:
        with permit:
            try:
                connection = await connect(
                    self._address, RedisConnection(self._reply_timeout), timeout=self._connect_timeout
                )
            except driver.TimeoutError:
                permit.failed("timeout")
                raise
            except driver.RedisError:
                # It answers, and its next answer may be another one: nothing is gained by not asking it.
                permit.succeeded()
                raise
            permit.succeeded()
            return connection

    def _record_silence(self, connection: RedisConnection) -> None:
        """Count a connection on which a reply was late, once."""
        connection.silent = False
        if (permit := self._circuit.admit()) is not None:
            permit.failed("timeout")
