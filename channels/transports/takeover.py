"""Taking over a request's connection from aiohttp once its response has begun.

A live connection lasts for hours and is idle most of the time. Under aiohttp it holds a parser, a request, a response
and two tasks; taken over, it is a transport and one small object.
"""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import web

from channels.transports.poller import PolledProtocol, Poller


class _TrailingData:
    """Replaces aiohttp's parser to receive the data that arrived after the request."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Keep the data."""
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Do nothing."""


async def send_head(request: web.Request, response: web.Response) -> bool:
    """Send a response's head without a body; return whether the client is still connected."""
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return False
    return request.transport is not None and not request.transport.is_closing()


def take_over(request: web.Request, successor: PolledProtocol, poller: Poller) -> None:
    """Give the connection to `successor`, with the data that arrived after the request.

    `poller` reads from it from now on. The successor's `connection_made` is called here.
    """
    former, transport = request.protocol, cast(asyncio.Transport, request.transport)
    tail = _TrailingData()
    former.set_parser(tail)  # type: ignore[arg-type]  # implements the methods that are called
    adopted = poller.adopt(transport, successor)
    # To aiohttp it must look as if the client had disconnected, so that it releases the request. Without its transport
    # it cannot close the connection.
    former.transport = None
    former.connection_lost(None)
    successor.connection_made(adopted)
    if tail.data:
        successor.data_received(tail.data)
