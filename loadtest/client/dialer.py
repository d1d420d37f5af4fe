"""Open sockets to the live endpoints: resolve hosts, choose source addresses, connect, and do the handshakes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from picows import WSListener, WSTransport, ws_connect

HANDSHAKE_TIMEOUT = 15.0  # seconds for each of TCP, TLS and WebSocket; in a storm thousands wait in one queue
_READ_BUFFER = 4096  # bytes at first; it grows as needed
_BIND_ADDRESS_NO_PORT = 24  # ip(7): choose the port at connect(2), so that all ports of an address serve each peer


class Dialer:
    """Opens sockets, spread evenly over one or several live endpoints and over the source addresses."""

    def __init__(self, urls: Sequence[str], sources: Sequence[str], context: ssl.SSLContext | None) -> None:
        self._urls = urls
        self._sources = sources
        self._context = context
        self._peers: dict[str, list[tuple[int, Any]]] = {}

    async def resolve(self) -> None:
        """Resolve the hosts once, for all sockets; raise `OSError` for an unknown host."""
        loop = asyncio.get_running_loop()
        for url in self._urls:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "wss" else 80)
            found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
            # One family only: of a name with both kinds of address, a machine without IPv6 could reach only half.
            family = _family(self._sources) or found[0][0]
            peers: list[tuple[int, Any]] = [(item[0], item[4]) for item in found if item[0] == family]
            if not peers:
                raise OSError(f"{parts.hostname} has no address that {self._sources[0]} could connect to")
            self._peers[url] = peers

    async def open(self, listener: WSListener, number: int) -> WSTransport:
        """Open socket `number`; raise `OSError` (also for TLS), `TimeoutError` or picows' `WSError`."""
        url = self._urls[number % len(self._urls)]
        peers = self._peers[url]
        family, peer = peers[number // len(self._urls) % len(peers)]

        async def connected(_: object) -> socket.socket:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._sources:
                    _bind(sock, self._sources[number % len(self._sources)])
                async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                    await asyncio.get_running_loop().sock_connect(sock, peer)
            except BaseException:
                sock.close()
                raise
            return sock

        # Each step has its own timeout: picows leaves the connection open if the whole call is cancelled.
        secure: dict[str, Any] = {"ssl_handshake_timeout": HANDSHAKE_TIMEOUT} if url.startswith("wss:") else {}
        transport, _ = await ws_connect(
            lambda: listener,
            url,
            ssl_context=self._context,
            socket_factory=connected,
            websocket_handshake_timeout=HANDSHAKE_TIMEOUT,
            read_buffer_init_size=_READ_BUFFER,
            max_redirects=0,
            **secure,
        )
        return transport


def _family(sources: Sequence[str]) -> int | None:
    if not sources:
        return None
    return socket.AF_INET6 if ":" in sources[0] else socket.AF_INET


def _bind(sock: socket.socket, source: str) -> None:
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    sock.bind((source, 0))
