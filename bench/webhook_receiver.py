"""A receiver of webhooks that does the least a receiver can: it reads a message, notes its id and time, and accepts it.

It runs in the benchmark's own process, so its processor time is not that of the service.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_ACCEPTED = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH, _ID = b"content-length: ", b"webhook-id: "
SILENT = b"/silent"  # messages to this path get no response


class Receiver:
    """When each message arrived, on the clock of `time.perf_counter`, by its id; those to `SILENT` are only counted."""

    def __init__(self) -> None:
        self.port = 0
        self.arrived: dict[str, float] = {}
        self.unanswered = 0
        self._changed = asyncio.Event()

    async def until(self, message_id: str, *, within: float) -> float:
        """Wait for a message, and return when it arrived."""
        await self._until(lambda: message_id in self.arrived, within)
        return self.arrived[message_id]

    async def until_number(self, number: int, *, within: float) -> None:
        """Wait until so many messages have arrived."""
        await self._until(lambda: len(self.arrived) >= number, within)

    async def _until(self, condition: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def accept(self, head: bytes) -> bool:
        """Note a message by its head; return whether it is to be answered."""
        if head.startswith(b"POST " + SILENT):
            self.unanswered += 1
            return False
        self.arrived[_value(head, _ID).decode()] = time.perf_counter()
        self._changed.set()
        return True


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._data[:end])
            length = end + 4 + int(_value(head, _LENGTH))
            if len(self._data) < length:
                return
            del self._data[:length]
            if self._receiver.accept(head):
                self._transport.write(_ACCEPTED)


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[Receiver]:
    """Listen on a loopback port until the end of the block."""
    receiver = Receiver()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(receiver), "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def _value(head: bytes, name: bytes) -> bytes:
    start = head.lower().index(name) + len(name)
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)]
