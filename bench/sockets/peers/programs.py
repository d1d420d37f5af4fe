"""The peers that are programs of this folder: Node `ws`, Socket.IO, and a bare loop around send(2) in C.

All three take messages over a TCP connection, each with its length before it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.cores import Cores
from bench.sockets.client.broadcast_clients import Dialect
from bench.sockets.client.frames import client_frame, server_frame
from bench.sockets.client.handshake import Manners, Step, websocket_upgrade
from bench.sockets.machine.processes import listens, serving
from bench.sockets.peers.peer import Peer, Running
from tests.engines.private import free_port

_HERE = Path(__file__).parent


class WsDialect:
    """Open a WebSocket and listen."""

    manners = Manners(upgrade=websocket_upgrade("/"))
    receipt = b""

    def steps(self, number: int) -> Sequence[Step]:  # noqa: ARG002 - all clients are alike
        """Return nothing: who is connected gets what is broadcast."""
        return ()

    def published(self, body: bytes) -> bytes:
        """Return the message with its length."""
        return _with_length(body)


class SocketIoDialect:
    """Open Engine.IO (version 4) over a WebSocket, then Socket.IO's main namespace."""

    manners = Manners(
        upgrade=websocket_upgrade("/socket.io/?EIO=4&transport=websocket"), ping=b"2", pong=client_frame(b"3")
    )
    receipt = b""

    def steps(self, number: int) -> Sequence[Step]:  # noqa: ARG002 - all clients are alike
        """Return Engine.IO's welcome, then the namespace's."""
        return Step(b"", b"0{"), Step(client_frame(b"40"), b"40{")

    def published(self, body: bytes) -> bytes:
        """Return the message with its length."""
        return _with_length(body)


class SendLoopDialect:
    """Connect and wait to be let in; the publisher brings finished frames."""

    manners = Manners()
    receipt = b""

    def steps(self, number: int) -> Sequence[Step]:  # noqa: ARG002 - all clients are alike
        """Return the welcome."""
        return (Step(b"", b"in"),)

    def published(self, body: bytes) -> bytes:
        """Return the message's frame with its length."""
        return _with_length(server_frame(body))


def _with_length(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


@asynccontextmanager
async def _program(
    command: Sequence[str], name: str, dialect: Dialect, folder: Path, cores: Cores
) -> AsyncIterator[Running]:
    port, publish_port = free_port(), free_port()
    line = cores.serving([*command, str(port), str(publish_port)])
    async with serving(line, name=name, folder=folder, ready=lambda: listens(publish_port)) as pid:
        yield Running(pid=pid, port=port, publish_port=publish_port, dialect=dialect)


@asynccontextmanager
async def _ws(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    async with _program(_node("ws_server.mjs"), "ws", WsDialect(), folder, cores) as running:
        yield running


@asynccontextmanager
async def _socketio(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    async with _program(_node("socketio_server.mjs"), "socketio", SocketIoDialect(), folder, cores) as running:
        yield running


@asynccontextmanager
async def _send_loop(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    binary = folder / "send_loop"
    command = ["gcc", "-O2", "-Wall", "-o", str(binary), str(_HERE / "send_loop.c")]
    compiling = await asyncio.create_subprocess_exec(*command)
    assert await compiling.wait() == 0, "send_loop.c did not compile"
    async with _program([str(binary)], "send_loop", SendLoopDialect(), folder, cores) as running:
        yield running


def _node(file: str) -> list[str]:
    return ["env", "NODE_ENV=production", "node", str(_HERE / file)]


WS = Peer(name="Node ws", run=_ws)
SOCKET_IO = Peer(name="Socket.IO", run=_socketio)
SEND_LOOP = Peer(name="send(2) loop in C", run=_send_loop)
