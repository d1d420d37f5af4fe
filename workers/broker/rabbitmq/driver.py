"""A connection of the driver to RabbitMQ that can be closed at any moment, also while it is being opened or closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import aiormq
from aio_pika.abc import UnderlayConnection
from aio_pika.tools import OneShotCallback
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL


class AmqpConnection(aio_pika.Connection):
    """Connection of aio_pika that `close` always finds, and whose socket `abort` drops.

    aio_pika refers to the connection of aiormq below it only once that is open. A cancellation just before loses an
    open connection: nothing closes it, and its heartbeats keep it alive.
    """

    def __init__(self, url: URL, *, name: str) -> None:
        super().__init__(url, client_properties={"connection_name": name})
        self._sockets = _Sockets()

    async def connect(self, timeout: float | None = None) -> None:
        """Open the connection within `timeout` seconds; after an error or a cancellation the caller must close it."""
        below = aiormq.Connection(self.url, transport_factory=self._sockets, **self.kwargs)
        lost = OneShotCallback(self._on_connection_close)
        below.closing.add_done_callback(lost)
        self.transport = UnderlayConnection(connection=below, close_callback=lost)
        async with self.deadline(timeout):
            await below.connect()
            await below.ready()
        await self._on_connected()

    @asynccontextmanager
    async def deadline(self, seconds: float | None) -> AsyncIterator[None]:
        """Cancel the block after `seconds` and raise TimeoutError; drop the socket at that moment."""
        # The driver delays a cancellation until its last bytes are sent, or until the peer has answered the end of TLS.
        # A peer that reads nothing would delay it for ever.
        timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.abort)
        try:
            async with asyncio.timeout(seconds):
                yield
        finally:
            if timer is not None:
                timer.cancel()

    def abort(self) -> None:
        """Drop the socket at once, with the bytes that are not sent yet."""
        self._sockets.abort()


class _Sockets(TransportFactory):
    """Opens sockets as aiormq does, and keeps them."""

    def __init__(self) -> None:
        self._writers: list[asyncio.StreamWriter] = []

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a socket, with TLS if the URL says so."""
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **kwargs)
        self._writers.append(writer)
        return reader, writer

    def abort(self) -> None:
        """Drop all of them."""
        for writer in self._writers:
            writer.transport.abort()
