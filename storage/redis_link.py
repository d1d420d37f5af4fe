"""One connection to Redis that many callers share: nobody waits for another's answer, which come back in order.

A pool gives each command a connection of its own and costs some seventy microseconds of this process a
command. Scripts are run this way; what blocks (pub/sub) is not.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

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
_BUFFERED = 1 << 24  # bytes waiting to leave, beyond which the server counts as gone


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkAddress:
    """Where a server is: `path` of a unix socket, or `host` and `port`, the latter perhaps with `tls`."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls: ssl.SSLContext | None = None


class Link:
    """A shared connection, opened when first used and again after it was lost; timeouts in seconds.

    Raises the driver's exceptions. A command that meets a connection which was lost before is sent once more on
    a new one; one whose answer is late is not, since it may have been carried out.
    """

    sharded = False

    def __init__(self, address: LinkAddress, *, answer_timeout: float, connect_timeout: float) -> None:
        self._address = address
        self._answer_timeout = answer_timeout
        self._connect_timeout = connect_timeout
        self._wire: _Wire | None = None
        self._retired: set[_Wire] = set()
        self._opening: asyncio.Task[_Wire] | None = None

    async def call(self, *command: bytes | str | int) -> Any:
        """Send a command and return its answer, bytes within; raise what Redis refused or why it did not answer."""
        packed, wire = _pack(command), self._wire
        if wire is None or wire.lost:
            answer = await (await self._open()).send(packed)
        else:
            try:
                answer = await wire.send(packed)
            except driver.ConnectionError:
                answer = await (await self._open()).send(packed)
        if isinstance(answer, driver.RedisError):
            raise answer
        return answer

    async def ask(self, *command: bytes | str | int) -> Any:
        """Send a command about a cluster's slot that is on its way to this server; otherwise as `call`."""
        wire = await self._open()
        # Both in one go: the permission holds for the connection's next command, whoever sends it.
        _, answer = await asyncio.gather(wire.send(_pack(("ASKING",))), wire.send(_pack(command)))
        if isinstance(answer, driver.RedisError):
            raise answer
        return answer

    async def each(self, *command: bytes | str | int) -> dict[LinkAddress, Any]:
        """Send a command to every server, which is this one."""
        return {self._address: await self.call(*command)}

    async def refresh(self) -> None:
        """Learn where keys lie: on one server there is nothing to learn."""

    def renew(self) -> None:
        """Open another connection for the commands to come, since this one may be dead and not told so.

        Who waits for an answer gets it, or learns that it is late.
        """
        self._retired = {wire for wire in self._retired if not wire.lost}
        if self._wire is not None:
            self._retired.add(self._wire)
            self._wire.retire()
            self._wire = None

    def slot_of(self, _key: bytes) -> int:
        """Return the number that keys have in common which one command may name: here all of them."""
        return 0

    def server_of(self, _name: bytes) -> LinkAddress:
        """Return the server on which a key or channel lies."""
        return self._address

    async def close(self) -> None:
        """Close the connection; who still waits for an answer gets a `ConnectionError`."""
        if self._opening is not None:
            self._opening.cancel()
        for wire in (*self._retired, *([] if self._wire is None else [self._wire])):
            await wire.close()

    async def _open(self) -> _Wire:
        if self._wire is not None and not self._wire.lost:
            return self._wire
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        # Shielded: a caller who gives up does not take the connection from the others.
        return await asyncio.shield(self._opening)

    def _opened(self, task: asyncio.Task[_Wire]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._wire = task.result()

    async def _connect(self) -> _Wire:
        loop, address = asyncio.get_running_loop(), self._address
        wire = _Wire(loop, self._answer_timeout)
        try:
            async with asyncio.timeout(self._connect_timeout):
                if address.path is not None:
                    await loop.create_unix_connection(lambda: wire, address.path)
                else:
                    await loop.create_connection(lambda: wire, address.host, address.port, ssl=address.tls)
                for answer in await asyncio.gather(*map(wire.send, map(_pack, _greeting(address)))):
                    if isinstance(answer, driver.RedisError):
                        raise driver.ConnectionError(str(answer)) from answer
        except TimeoutError as error:
            wire.give_up(driver.TimeoutError("no connection in time"))
            raise driver.TimeoutError("no connection in time") from error
        except (OSError, driver.RedisError) as error:
            wire.give_up(driver.ConnectionError(str(error)))
            raise driver.ConnectionError(str(error)) from error
        return wire


class _Wire(asyncio.Protocol):
    """One connection: a queue of who waits, in the order of their commands."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answer_timeout: float) -> None:
        self._loop = loop
        self._answer_timeout = answer_timeout
        self._reader = hiredis.Reader(replyError=_error)
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

    def data_received(self, data: bytes) -> None:
        """Hand answers to those who wait."""
        self._reader.feed(data)
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


def _pack(command: tuple[bytes | str | int, ...]) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # takes any length
    return packed


def _error(text: str) -> driver.RedisError:
    code, _, rest = text.partition(" ")
    if code in _REDIRECTIONS:
        return _REDIRECTIONS[code](rest)
    return _ERRORS.get(code, driver.ResponseError)(text)


def _greeting(address: LinkAddress) -> list[tuple[str, ...]]:
    """Return the commands with which a connection begins."""
    commands: list[tuple[str, ...]] = []
    if address.password:
        commands.append(("AUTH", *([address.username] if address.username else []), address.password))
    if address.db:
        commands.append(("SELECT", str(address.db)))
    return commands
