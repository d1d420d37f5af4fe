"""One connection to a Redis server: opening and handshake, replies in the order of the commands, and the end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import hiredis
import redis.exceptions as driver

from storage.redis.address import RedisAddress

_ERRORS: Mapping[str, type[driver.RedisError]] = {
    "NOSCRIPT": driver.NoScriptError,
    "READONLY": driver.ReadOnlyError,
    # A master that has lost its replicas refuses writes, because another one may have been promoted.
    "NOREPLICAS": driver.ReadOnlyError,
    "OOM": driver.OutOfMemoryError,
    "LOADING": driver.BusyLoadingError,
    "MASTERDOWN": driver.MasterDownError,
    "CLUSTERDOWN": driver.ClusterDownError,
    "TRYAGAIN": driver.TryAgainError,
}
# Replies of a server that does not act as a master at present. It has not carried out the command, and its address may
# lead to another server by now.
NOT_MASTER = (driver.ReadOnlyError, driver.BusyLoadingError, driver.MasterDownError, driver.ClusterDownError)
_SCRIPT_ERROR = "ERR Error running script"  # Redis 6 puts the error of a command in a script behind this text
# These exceptions parse the slot and the address that follow the code.
_REDIRECTIONS: Mapping[str, type[driver.RedisError]] = {"MOVED": driver.MovedError, "ASK": driver.AskError}
_READ_BYTES = 1 << 16  # read at once
_MAX_UNSENT_BYTES = 1 << 24  # beyond this the server is considered dead


class RedisConnection(asyncio.BufferedProtocol):
    """A pipelined connection: commands are written at once, and replies are matched to them in order.

    Once it is lost it stays lost; `lost` is then True, and every outstanding or new command fails with the reason.
    `silent` is True if the reason was a reply that did not arrive in time.
    """

    def __init__(self, reply_timeout: float) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._reply_timeout = reply_timeout
        self._reader = hiredis.Reader(replyError=_error)
        # By default the parser frees its buffer after each reply of more than 16 KB; a page of a feed is larger.
        self._reader.setmaxbuf(2 * _READ_BYTES)
        # The transport reads into this buffer and the parser reads from it, so a large reply is copied once less than
        # with a Protocol that receives bytes. It is a memoryview because asyncio's TLS writes into slices of it.
        self._received = memoryview(bytearray(_READ_BYTES))
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()  # (reply, deadline) by command
        self._timer: asyncio.TimerHandle | None = None
        self._closed = loop.create_future()
        self._retiring = False
        self.lost = False
        self.silent = False
        self.run_id: bytes | None = None  # the server's run, set by `storage.redis.stale_data`

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """Write an encoded command and return the future of its reply; an error of Redis is a result, not raised."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        if self.lost:
            reply.set_exception(driver.ConnectionError("the connection was lost"))
            return reply
        self._waiting.append((reply, self._loop.time() + self._reply_timeout))
        self._write(command)
        # One timer per connection, not per command: deadlines are in the order of the queue.
        if self._timer is None:
            self._timer = self._loop.call_later(self._reply_timeout, self._check_deadline)
        return reply

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Return the buffer to read into."""
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        """Match complete replies to their commands."""
        self._feed(nbytes)
        try:
            while (reply := self._reader.gets()) is not False:
                waiting, _ = self._waiting.popleft()
                # A cancelled caller's reply is dropped, but it keeps its place in the order.
                if not waiting.done():
                    waiting.set_result(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            # IndexError: a reply without a command. The order is lost, and with it every reply after this one.
            self.give_up(driver.InvalidResponse(f"unreadable answer: {error}"))
        if self._retiring:
            self.retire()

    def retire(self) -> None:
        """Close the connection once every outstanding reply has arrived."""
        self._retiring = True
        if not self._waiting:
            self.give_up(driver.ConnectionError("the connection was replaced"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the outstanding commands."""
        self.give_up(driver.ConnectionError(str(exc) if exc else "the server closed the connection"))
        self._closed.set_result(None)

    async def close(self, error: driver.RedisError | None = None) -> None:
        """Close the connection, if it was opened, and wait until the transport is closed."""
        self.give_up(error or driver.ConnectionError("the connection was closed"))
        if self._transport is not None:
            await self._closed

    def give_up(self, error: driver.RedisError) -> None:
        """Fail outstanding and later commands with `error`, and abort the transport."""
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            waiting, _ = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(error)
        if self._transport is not None:
            self._transport.abort()

    def _feed(self, nbytes: int) -> None:
        self._reader.feed(self._received, 0, nbytes)  # type: ignore[arg-type]  # takes any buffer

    def _write(self, command: bytes) -> None:
        # Written at once and not gathered until the end of the loop's turn: the server works on this command while
        # the next ones are being encoded, which gives a fifth more feed pages per second.
        if self._transport is not None:
            self._transport.write(command)
            if self._transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
                self.give_up(driver.TimeoutError("the server does not read"))

    def _check_deadline(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        left = self._waiting[0][1] - self._loop.time()
        if left <= 0:
            # The whole connection is given up: the replies behind this one would be late, too.
            self.silent = True
            self.give_up(driver.TimeoutError("no answer in time"))
        else:
            self._timer = self._loop.call_later(left, self._check_deadline)


C = TypeVar("C", bound=RedisConnection)


async def open_connection(address: RedisAddress, connection: C, *, timeout: float) -> C:
    """Connect, authenticate and select the database within `timeout` seconds; raise the driver's errors."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            if address.path is not None:
                await loop.create_unix_connection(lambda: connection, address.path)
            else:
                await loop.create_connection(lambda: connection, address.host, address.port, ssl=address.tls)
            for reply in await asyncio.gather(*map(connection.send, _handshake(address))):
                if isinstance(reply, driver.RedisError):
                    raise driver.ConnectionError(str(reply)) from reply
    except TimeoutError as error:
        await connection.close(driver.TimeoutError("no connection in time"))
        raise driver.TimeoutError("no connection in time") from error
    except (OSError, driver.RedisError) as error:
        await connection.close(driver.ConnectionError(str(error)))
        raise driver.ConnectionError(str(error)) from error
    except asyncio.CancelledError:
        await connection.close(driver.ConnectionError("opening the connection was cancelled"))
        raise
    return connection


def encode_command(*command: bytes | str | int) -> bytes:
    """Return a command as an array of bulk strings, the form in which clients send it."""
    encoded: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # takes any length
    return encoded


def _error(text: str) -> driver.RedisError:
    if text.startswith(_SCRIPT_ERROR):
        text = text.partition(": -")[2] or text
    code, _, rest = text.partition(" ")
    if code in _REDIRECTIONS:
        return _REDIRECTIONS[code](rest)
    return _ERRORS.get(code, driver.ResponseError)(text)


def _handshake(address: RedisAddress) -> list[bytes]:
    commands = []
    if address.password:
        username = [address.username] if address.username else []
        commands.append(encode_command("AUTH", *username, address.password))
    if address.db:
        commands.append(encode_command("SELECT", address.db))
    return commands
