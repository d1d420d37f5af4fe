"""Open sockets to a live endpoint: from which address of ours, to which of theirs, and with which trust."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from picows import WSListener, WSTransport, ws_connect

HANDSHAKE_DEADLINE = 15.0  # seconds for each of TCP, TLS and WebSocket; in a storm thousands stand in one queue
_READ_BUFFER = 4096  # bytes at first; it grows with what arrives
_BIND_ADDRESS_NO_PORT = 24  # ip(7): choose the port at connect(2), so that each peer has all ports of an address


class Door:
    """The way to one or several live endpoints; sockets are spread evenly over them and over our addresses."""

    def __init__(self, urls: Sequence[str], sources: Sequence[str], trust: ssl.SSLContext | None) -> None:
        self._urls = urls
        self._sources = sources
        self._trust = trust
        self._peers: dict[str, list[tuple[int, Any]]] = {}

    async def find(self) -> None:
        """Look the hosts up once, for all sockets; raise `OSError` for one that is not known."""
        loop = asyncio.get_running_loop()
        for url in self._urls:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "wss" else 80)
            found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
            # One family: where a name has both kinds of address, a machine without IPv6 could reach half of them.
            family = _family(self._sources) or found[0][0]
            peers: list[tuple[int, Any]] = [(item[0], item[4]) for item in found if item[0] == family]
            if not peers:
                raise OSError(f"{parts.hostname} has no address that {self._sources[0]} could connect to")
            self._peers[url] = peers

    async def open(self, listener: WSListener, number: int) -> WSTransport:
        """Open the socket of a number; raise `OSError` (also for TLS), `TimeoutError` or picows' `WSError`."""
        url = self._urls[number % len(self._urls)]
        peers = self._peers[url]
        family, peer = peers[number // len(self._urls) % len(peers)]

        async def connected(_: object) -> socket.socket:
            plug = socket.socket(family, socket.SOCK_STREAM)
            try:
                plug.setblocking(False)
                plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._sources:
                    _bind(plug, self._sources[number % len(self._sources)])
                async with asyncio.timeout(HANDSHAKE_DEADLINE):
                    await asyncio.get_running_loop().sock_connect(plug, peer)
            except BaseException:
                plug.close()
                raise
            return plug

        # Each stage has a deadline of its own: picows leaves a connection open whose opening is cancelled from outside.
        secure: dict[str, Any] = {"ssl_handshake_timeout": HANDSHAKE_DEADLINE} if url.startswith("wss:") else {}
        transport, _ = await ws_connect(
            lambda: listener,
            url,
            ssl_context=self._trust,
            socket_factory=connected,
            websocket_handshake_timeout=HANDSHAKE_DEADLINE,
            read_buffer_init_size=_READ_BUFFER,
            max_redirects=0,
            **secure,
        )
        return transport


def _family(sources: Sequence[str]) -> int | None:
    if not sources:
        return None
    return socket.AF_INET6 if ":" in sources[0] else socket.AF_INET


def _bind(plug: socket.socket, source: str) -> None:
    if sys.platform == "linux":
        plug.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    plug.bind((source, 0))
