"""The peers that are programs of this folder: Node `ws`, Socket.IO, and a bare loop around send(2) in C.

All three take messages over a TCP connection, each preceded by its length.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.cores import Cores
from bench.sockets.client.broadcast_clients import PeerProtocol
from bench.sockets.client.frames import client_frame, server_frame
from bench.sockets.client.handshake import Opening, Step, websocket_upgrade
from bench.sockets.machine.processes import accepts_connections, run_server
from bench.sockets.peers.peer import PeerServer, Running
from tests.engines.private import free_port

_HERE = Path(__file__).parent


class WsProtocol:
    """Open a WebSocket and receive."""

    opening = Opening(request=websocket_upgrade("/"))
    acknowledgement = b""

    def steps(self, number: int) -> Sequence[Step]:  # noqa: ARG002 - all clients are alike
        """Return no steps: every connected client gets the broadcast."""
        return ()

    def encode(self, body: bytes) -> bytes:
        """Return the message with its length."""
        return _with_length(body)


class SocketIoProtocol:
    """Open Engine.IO (version 4) over a WebSocket, then Socket.IO's main namespace."""

    opening = Opening(
        request=websocket_upgrade("/socket.io/?EIO=4&transport=websocket"), ping=b"2", pong=client_frame(b"3")
    )
    acknowledgement = b""

    def steps(self, number: int) -> Sequence[Step]:  # noqa: ARG002 - all clients are alike
        """Return the steps for Engine.IO's first packet and for the namespace."""
        return Step(b"", b"0{"), Step(client_frame(b"40"), b"40{")

    def encode(self, body: bytes) -> bytes:
        """Return the message with its length."""
        return _with_length(body)


class SendLoopProtocol:
    """Connect and wait for the first frame; the publisher sends complete frames."""

    opening = Opening()
    acknowledgement = b""

    def steps(self, number: int) -> Sequence[Step]:  # noqa: ARG002 - all clients are alike
        """Return the step for the first frame."""
        return (Step(b"", b"in"),)

    def encode(self, body: bytes) -> bytes:
        """Return the message's frame with its length."""
        return _with_length(server_frame(body))


def _with_length(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


@asynccontextmanager
async def _program(
    command: Sequence[str], name: str, protocol: PeerProtocol, folder: Path, cores: Cores
) -> AsyncIterator[Running]:
    port, publish_port = free_port(), free_port()
    line = cores.on_server_core([*command, str(port), str(publish_port)])
    async with run_server(line, name=name, folder=folder, ready=lambda: accepts_connections(publish_port)) as pid:
        yield Running(pid=pid, port=port, publish_port=publish_port, protocol=protocol)


@asynccontextmanager
async def _ws(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    async with _program(_node("ws_server.mjs"), "ws", WsProtocol(), folder, cores) as running:
        yield running


@asynccontextmanager
async def _socketio(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    async with _program(_node("socketio_server.mjs"), "socketio", SocketIoProtocol(), folder, cores) as running:
        yield running


@asynccontextmanager
async def _send_loop(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    binary = folder / "send_loop"
    command = ["gcc", "-O2", "-Wall", "-o", str(binary), str(_HERE / "send_loop.c")]
    compiling = await asyncio.create_subprocess_exec(*command)
    assert await compiling.wait() == 0, "send_loop.c did not compile"
    async with _program([str(binary)], "send_loop", SendLoopProtocol(), folder, cores) as running:
        yield running


def _node(file: str) -> list[str]:
    return ["env", "NODE_ENV=production", "node", str(_HERE / file)]


WS = PeerServer(name="Node ws", run=_ws)
SOCKET_IO = PeerServer(name="Socket.IO", run=_socketio)
SEND_LOOP = PeerServer(name="send(2) loop in C", run=_send_loop)
