"""Take a request's connection out of aiohttp's hands, once its answer has begun.

A live connection lasts for hours and says nothing for most of them. Kept by aiohttp it holds a parser, a
request, a response and two tasks; on its own it is a transport and one small object.
"""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import web

from channels.transports.poller import Poller


class _Tail:
    """Stand where aiohttp wants a parser, to be given what has arrived behind the request."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Keep the bytes."""
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Keep what there is."""


async def begin(request: web.Request, response: web.Response) -> bool:
    """Send a response's head; return whether the client is still there. No body follows by aiohttp's hand."""
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return False
    return request.transport is not None and not request.transport.is_closing()


def take_over(request: web.Request, successor: asyncio.Protocol, poller: Poller) -> None:
    """Let `successor` have the connection from now on, with the bytes that came behind the request.

    To aiohttp it is as if the client had gone: it lets go of all that belongs to the request. The
    successor is told that a connection was made, which `poller` reads.
    """
    former, transport = request.protocol, cast(asyncio.Transport, request.transport)
    tail = _Tail()
    former.set_parser(tail)  # type: ignore[arg-type]  # all it calls is there
    adopted = poller.adopt(transport, successor)
    former.transport = None  # what it does not know it does not close
    former.connection_lost(None)
    successor.connection_made(adopted)
    if tail.data:
        successor.data_received(tail.data)
