"""The WebSocket shell: aiohttp parses what comes in, the outbox writes what goes out.

aiohttp's own ways of closing are kept out: it closes with 1009, which stops browser clients for good;
its empty reasons make them misread the code; it takes the close code 1006 from a peer, which is not
allowed on the wire; and it waits for a peer without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiohttp import WSMsgType, web

from channels.commands import Commands
from channels.connection import Connection
from channels.hub import Hub
from channels.keepalive import Keepalive
from channels.metrics import LiveMetrics
from channels.outbox import FlushQueue
from channels.protocol import codes
from channels.protocol.codec import BadFrameError, Codec
from channels.protocol.codes import Disconnect
from channels.protocol.core import ProtocolCore
from channels.settings import LiveSettings
from channels.transports.frames import pong_frame
from channels.transports.origin import origin_allowed

log = structlog.get_logger(__name__)

_FAULTS = {1002: codes.PROTOCOL_ERROR, 1007: codes.INVALID_TEXT, 1009: codes.TOO_BIG}
_ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
_LINGER = (0.05, 20)  # seconds a step, and how many, before a broken peer's transport is closed


class _Socket(web.WebSocketResponse):
    """aiohttp's socket, which only notes why it would close; the outbox writes the closing frame."""

    fault: int | None = None

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:  # noqa: ARG002
        """Note the code and close nothing."""
        self.fault = code
        return True


class LiveEndpoint:
    """Answer `GET /connection/websocket`: hold one connection from its handshake to its end."""

    def __init__(
        self, commands: Commands, hub: Hub, keepalive: Keepalive, settings: LiveSettings, metrics: LiveMetrics
    ) -> None:
        self._commands = commands
        self._hub = hub
        self._keepalive = keepalive
        self._settings = settings
        self._metrics = metrics
        self._flushes = FlushQueue(metrics.live_sent)
        self._accepting = True

    def stop_accepting(self) -> None:
        """Answer 503 from now on."""
        self._accepting = False

    async def handle(self, request: web.Request, codecs: Sequence[Codec]) -> web.StreamResponse:
        """Serve one connection; `codecs` are what clients may choose from, the first where they do not.

        Raises `web.HTTPException` 400, 403 or 503 instead of a handshake.
        """
        codec = self._admit(request, codecs)
        socket = _Socket(
            protocols=[codec.name],
            autoclose=False,
            autoping=False,
            compress=False,
            max_msg_size=self._settings.message_bytes,
        )
        await socket.prepare(request)
        if request.transport is not None:
            await self._serve(socket, request, codec)
        return socket

    def _admit(self, request: web.Request, codecs: Sequence[Codec]) -> Codec:
        if not self._accepting:
            raise web.HTTPServiceUnavailable(text="this process is shutting down", headers={"Retry-After": "1"})
        if not origin_allowed(request.headers.get("Origin"), request.host, self._settings.allowed_origins):
            raise web.HTTPForbidden(text="pages of this origin may not connect")
        codec = choose_codec(
            request.headers.get("Sec-WebSocket-Protocol"),
            request.query.get("format") or request.query.get("cf_protocol"),
            codecs,
        )
        if codec is None:
            raise web.HTTPBadRequest(text=f"the protocols spoken here are {', '.join(codec.name for codec in codecs)}")
        return codec

    async def _serve(self, socket: _Socket, request: web.Request, codec: Codec) -> None:
        transport = request.transport
        assert transport is not None  # noqa: S101 - narrows the type
        loop = asyncio.get_running_loop()
        core = ProtocolCore(rate=self._settings.command_rate, burst=self._settings.command_burst, now=loop.time())
        connection = Connection(codec, transport, core, self._flushes, self._settings)
        started, user_id = loop.time(), None
        self._hub.open(connection)
        self._metrics.live_opened()
        self._keepalive.watch(connection)
        try:
            await self._converse(socket, connection)
        except Exception:
            connection.close(codes.SERVER_ERROR)
            raise
        finally:
            user_id = connection.identity.user_id if connection.identity else None
            self._commands.leave(connection)
            self._hub.discard(connection)
            ending = connection.closed_with or codes.NORMAL
            connection.close(ending)
            self._metrics.live_closed(ending.code)
            log.info(
                "live_connection_closed",
                client=connection.client_id,
                user_id=user_id,
                code=ending.code,
                reason=ending.reason,
                seconds=round(loop.time() - started, 3),
                messages=connection.sent,
                codec=codec.name,
            )
        if socket.fault in _FAULTS:
            await _linger(request)

    async def _converse(self, socket: _Socket, connection: Connection) -> None:
        """Handle what the client sends until it is gone; once closing, everything but its end is ignored."""
        while True:
            message = await socket.receive()
            if message.type in _ENDS:
                connection.close(_ending(message.type, message.data, socket.fault))
                return
            if connection.closed_with is None:
                await self._receive(connection, message.type, message.data)

    async def _receive(self, connection: Connection, kind: WSMsgType, data: bytes | str) -> None:
        loop = asyncio.get_running_loop()
        if kind in (WSMsgType.PING, WSMsgType.PONG):
            over = connection.core.count(loop.time())
            if over is not None:
                connection.close(over.disconnect)
            elif kind is WSMsgType.PING:
                connection.send_frame(pong_frame(bytes(data) if not isinstance(data, str) else data.encode()))
            return
        try:
            commands = connection.codec.decode(data)
        except BadFrameError:
            connection.close(codes.BAD_REQUEST)
            return
        connection.core.begin_frame()
        for command in commands:
            await self._commands.perform(connection, connection.core.receive(command, loop.time()))
            if connection.closed_with is not None:
                return


def choose_codec(offered: str | None, wanted: str | None, codecs: Sequence[Codec]) -> Codec | None:
    """Return the codec of a handshake: by offered subprotocols, else by the `format` asked for, else the first.

    None where the client insists on one that is not spoken.
    """
    if offered:
        names = [name.strip() for name in offered.split(",")]
        return next((codec for name in names for codec in codecs if codec.name == name), None)
    if wanted:
        return next((codec for codec in codecs if codec.name.endswith(f"-{wanted}")), None)
    return codecs[0]


def _ending(kind: WSMsgType, data: object, fault: int | None) -> Disconnect:
    """Return the answer to a peer's end: its own code where RFC 6455, section 7.4 lets it be sent."""
    if kind is WSMsgType.CLOSE:
        code = data if isinstance(data, int) else 0
        sendable = code in (1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000))
        if code == 0 or sendable:
            return Disconnect(code or 1000, codes.NORMAL.reason)
        return codes.PROTOCOL_ERROR
    return _FAULTS.get(fault or 0, codes.NORMAL)


async def _linger(request: web.Request) -> None:
    """Give a peer that broke the protocol time to read why: closing at once would reset the connection."""
    step, steps = _LINGER
    for _ in range(steps):
        if request.transport is None:
            return
        await asyncio.sleep(step)
