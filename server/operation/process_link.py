"""Link between a parent and one of its serving processes: calls in both directions over a pair of unix sockets.

The pair has no name, so no other process can use it, and its end is seen at once when either process dies. A call is a
name, a reply any bytes; each frame begins with its kind, the number of the call and the length of its body.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import orjson
import structlog

log = structlog.get_logger(__name__)

Answer = Callable[[str], Awaitable[bytes]]

STARTED, METRICS = "started", "metrics"  # names of calls
_HEAD = struct.Struct(">BII")
_CALL, _REPLY = 0, 1
_DEADLINE = 5.0  # seconds for a reply


class LinkError(Exception):
    """The process at the other end has ended, or does not answer."""


class Link:
    """One end of the pair; `answer` returns the reply to a call of the other end."""

    def __init__(self, connection: socket.socket, answer: Answer) -> None:
        self._connection = connection
        self._answer = answer
        self._numbers = itertools.count()
        self._pending: dict[int, asyncio.Future[bytes]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._writer: asyncio.StreamWriter | None = None
        self._open = asyncio.Event()

    async def run(self) -> None:
        """Answer calls and receive replies until the other end is closed."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._connection)
        self._open.set()
        try:
            while True:
                kind, number, length = _HEAD.unpack(await reader.readexactly(_HEAD.size))
                self._receive(kind, number, await reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            self._writer.close()
            for task in self._answering:
                task.cancel()
            for reply in self._pending.values():
                if not reply.done():
                    reply.set_exception(LinkError("the other process has ended"))

    async def call(self, name: str, *, deadline: float = _DEADLINE) -> bytes:
        """Return the reply to a call; raise `LinkError` if there is none within `deadline` seconds."""
        number = next(self._numbers)
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._pending[number] = reply
        try:
            async with asyncio.timeout(deadline):
                await self._open.wait()
                self._send(_CALL, number, name.encode())
                return await reply
        except TimeoutError as error:
            raise LinkError(f"no reply within {deadline:g} s") from error
        finally:
            del self._pending[number]

    def _receive(self, kind: int, number: int, body: bytes) -> None:
        if kind == _CALL:
            task = asyncio.create_task(self._reply(number, body.decode()))
            # The loop holds only a weak reference to a task.
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif (reply := self._pending.get(number)) is not None and not reply.done():
            reply.set_result(body)

    async def _reply(self, number: int, name: str) -> None:
        self._send(_REPLY, number, await self._answer(name))

    def _send(self, kind: int, number: int, body: bytes) -> None:
        if self._writer is None or self._writer.is_closing():
            raise LinkError("the other process has ended")
        self._writer.write(_HEAD.pack(kind, number, len(body)) + body)


@dataclass(frozen=True, kw_only=True)
class Inherited:
    """What a serving process inherits: its number, from 0, and the descriptors of its sockets.

    `service` are the listeners of the service, `plain` those of plain HTTP beside a service with TLS.
    """

    number: int
    link: int
    service: tuple[int, ...]
    plain: tuple[int, ...] = ()

    @property
    def listeners(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the listeners of the service, and those of plain HTTP."""
        return self.service, self.plain

    @classmethod
    def from_text(cls, text: str) -> Inherited:
        """Return what `to_text` has written."""
        fields = orjson.loads(text)
        return cls(**{**fields, "service": tuple(fields["service"]), "plain": tuple(fields["plain"])})

    def to_text(self) -> str:
        """Return it as one argument of a command."""
        return orjson.dumps(asdict(self)).decode()


class ParentLink:
    """The link of a serving process to its parent; `render` returns the metrics of this process.

    When the parent ends, this process stops as by SIGTERM: what it accepted is completed, and the port becomes free.
    """

    def __init__(self, inherited: Inherited, render: Callable[[], bytes]) -> None:
        self._render = render
        self._link = Link(socket.socket(fileno=inherited.link), self._answer)

    async def run(self) -> None:
        """Answer the parent until it ends, then stop this process."""
        await self._link.run()
        log.warning("parent_ended")
        os.kill(os.getpid(), signal.SIGTERM)

    async def started(self) -> None:
        """Report that this process accepts requests; raise `LinkError`."""
        await self._link.call(STARTED)

    async def metrics(self) -> bytes:
        """Return the metrics of all processes of the parent; raise `LinkError`."""
        return await self._link.call(METRICS)

    async def _answer(self, name: str) -> bytes:
        if name != METRICS:
            raise LinkError(f"the parent calls {name}")
        return self._render()
