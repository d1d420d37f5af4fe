"""An echo of the production WebSocket path, for conformance suites: `python -m tests.echo [PORT]`.

The endpoint is built as in the live layer, with the same handshake, transport protocol, parser and encoder of frames.
Only the listener differs: it sends every message back. The Autobahn test suite, for instance, can be run against
`ws://127.0.0.1:9001/echo`.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from channels.connection.transport import Transport
from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer, WriteScheduler
from channels.contract.settings import LiveSettings
from channels.protocol import codes
from channels.protocol.codec_json import JsonCodec
from channels.transports.accept_policy import AcceptPolicy
from channels.transports.poller import Poller
from channels.transports.websocket import WebSocketEndpoint
from channels.transports.websocket_format import BINARY, TEXT, WebSocketFormat, frame

PATH = "/echo"
LIMIT = 64 << 20  # bytes: suites send messages of 16 MiB


class Echo:
    """A listener that sends every message back."""

    def __init__(self) -> None:
        self._scheduler = WriteScheduler(lambda _: None, linger=5.0)

    def open(self, wire_format: WireFormat, transport: Transport, address: str) -> WriteBuffer:
        """Return a write buffer."""
        del address
        return WriteBuffer(wire_format, transport, self._scheduler)

    def received(self, buffer: WriteBuffer, data: bytes | str) -> None:
        """Send it back."""
        buffer.put(frame(TEXT, data.encode()) if isinstance(data, str) else frame(BINARY, data))

    def pong(self, buffer: WriteBuffer) -> bool:
        """Have it passed to `received`."""
        return False

    def control_frame(self, buffer: WriteBuffer) -> None:
        """Do nothing."""

    def slow_consumer(self, buffer: WriteBuffer) -> None:
        """Close the slow client."""
        buffer.close(codes.SLOW)

    def lost(self, buffer: WriteBuffer) -> None:
        """Stop writing."""
        buffer.mark_closed(codes.NORMAL)


def echo_app() -> web.Application:
    """Return an application with the echo at `/echo`."""
    accept_policy = AcceptPolicy(LiveSettings(), lambda _: 0)
    endpoint = WebSocketEndpoint(
        Echo(), [WebSocketFormat(JsonCodec())], accept_policy, Poller(), limit=LIMIT, unsent=LIMIT
    )

    async def handle(request: web.Request) -> web.StreamResponse:
        return await endpoint.handle(request, request.remote or "")

    app = web.Application()
    app.router.add_get(PATH, handle)
    return app


async def main(port: int) -> None:
    """Serve until stopped."""
    runner = web.AppRunner(echo_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(f"ws://127.0.0.1:{port}{PATH}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9001))
