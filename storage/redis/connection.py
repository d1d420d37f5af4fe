"""One connection to a Redis server: how it is opened and greeted, who waits for which answer, and how it ends."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import hiredis
import redis.exceptions as driver

_ERRORS: Mapping[str, type[driver.RedisError]] = {
    "NOSCRIPT": driver.NoScriptError,
    "READONLY": driver.ReadOnlyError,
    "OOM": driver.OutOfMemoryError,
    "LOADING": driver.BusyLoadingError,
    "MASTERDOWN": driver.MasterDownError,
    "CLUSTERDOWN": driver.ClusterDownError,
    "TRYAGAIN": driver.TryAgainError,
}
# These exceptions read where to go out of what follows the code.
_REDIRECTIONS: Mapping[str, type[driver.RedisError]] = {"MOVED": driver.MovedError, "ASK": driver.AskError}
_READ = 1 << 16  # bytes read at once
_BUFFERED = 1 << 24  # bytes waiting to leave, beyond which the server counts as gone


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisAddress:
    """Where a server is: `path` of a unix socket, or `host` and `port`, the latter perhaps with `tls`."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls: ssl.SSLContext | None = None


class RedisConnection(asyncio.BufferedProtocol):
    """One connection: a queue of who waits, in the order of their commands.

    What arrives is read into one buffer of its own and from there by the parser: a page of a feed is a large answer,
    and making bytes of all that arrives first would copy it once more.
    """

    def __init__(self, answer_timeout: float) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._answer_timeout = answer_timeout
        self._reader = hiredis.Reader(replyError=_error)
        self._reader.setmaxbuf(2 * _READ)  # by default it frees its buffer after each answer of more than 16 KB
        self._arriving = memoryview(bytearray(_READ))  # TLS in asyncio reads into slices of it: they must be no copies
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._gone = loop.create_future()
        self._retiring = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """Send a command; its answer comes after those of all commands sent before."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self.lost:
            answer.set_exception(driver.ConnectionError("the connection was lost"))
            return answer
        self._waiting.append((answer, self._loop.time() + self._answer_timeout))
        self._write(command)
        if self._watch is None:
            self._watch = self._loop.call_later(self._answer_timeout, self._check)
        return answer

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Say where to put what arrives."""
        return self._arriving

    def buffer_updated(self, nbytes: int) -> None:
        """Hand answers to those who wait."""
        self._feed(nbytes)
        try:
            while (answer := self._reader.gets()) is not False:
                waiting, _ = self._waiting.popleft()
                if not waiting.done():
                    waiting.set_result(answer)
        except (hiredis.ProtocolError, IndexError) as error:
            self.give_up(driver.InvalidResponse(f"unreadable answer: {error}"))
        if self._retiring:
            self.retire()

    def retire(self) -> None:
        """Close as soon as nobody waits any more."""
        self._retiring = True
        if not self._waiting:
            self.give_up(driver.ConnectionError("the connection was replaced"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait."""
        self.give_up(driver.ConnectionError(str(exc) if exc else "the server closed the connection"))
        self._gone.set_result(None)

    async def close(self) -> None:
        """Close, and wait until the transport is gone."""
        self.give_up(driver.ConnectionError("the connection was closed"))
        await self._gone

    def give_up(self, error: driver.RedisError) -> None:
        """Take no more commands, tell those who wait why, and drop the transport."""
        self.lost = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        while self._waiting:
            waiting, _ = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(error)
        if self._transport is not None:
            self._transport.abort()

    def _feed(self, nbytes: int) -> None:
        self._reader.feed(self._arriving, 0, nbytes)  # type: ignore[arg-type]  # takes any buffer

    def _write(self, command: bytes) -> None:
        # At once, not gathered until the end of the turn: the server works on it while more are being made,
        # which is worth a fifth of the pages a second.
        if self._transport is not None:
            self._transport.write(command)
            if self._transport.get_write_buffer_size() > _BUFFERED:
                self.give_up(driver.TimeoutError("the server does not read"))

    def _check(self) -> None:
        """Give the connection up when the oldest command has waited too long; else look again when it will have."""
        self._watch = None
        if not self._waiting:
            return
        left = self._waiting[0][1] - self._loop.time()
        if left <= 0:
            self.give_up(driver.TimeoutError("no answer in time"))
        else:
            self._watch = self._loop.call_later(left, self._check)


W = TypeVar("W", bound=RedisConnection)


async def dial(address: RedisAddress, wire: W, *, timeout: float) -> W:
    """Open a connection and greet the server, in as many seconds; raise the driver's errors."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            if address.path is not None:
                await loop.create_unix_connection(lambda: wire, address.path)
            else:
                await loop.create_connection(lambda: wire, address.host, address.port, ssl=address.tls)
            for answer in await asyncio.gather(*(wire.send(pack(*command)) for command in _greeting(address))):
                if isinstance(answer, driver.RedisError):
                    raise driver.ConnectionError(str(answer)) from answer
    except TimeoutError as error:
        wire.give_up(driver.TimeoutError("no connection in time"))
        raise driver.TimeoutError("no connection in time") from error
    except (OSError, driver.RedisError) as error:
        wire.give_up(driver.ConnectionError(str(error)))
        raise driver.ConnectionError(str(error)) from error
    except asyncio.CancelledError:
        wire.give_up(driver.ConnectionError("nobody waits for the connection any more"))
        raise
    return wire


def pack(*command: bytes | str | int) -> bytes:
    """Return a command as it is sent."""
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # takes any length
    return packed


def _error(text: str) -> driver.RedisError:
    code, _, rest = text.partition(" ")
    if code in _REDIRECTIONS:
        return _REDIRECTIONS[code](rest)
    return _ERRORS.get(code, driver.ResponseError)(text)


def _greeting(address: RedisAddress) -> list[tuple[str, ...]]:
    """Return the commands with which a connection begins."""
    commands: list[tuple[str, ...]] = []
    if address.password:
        commands.append(("AUTH", *([address.username] if address.username else []), address.password))
    if address.db:
        commands.append(("SELECT", str(address.db)))
    return commands
