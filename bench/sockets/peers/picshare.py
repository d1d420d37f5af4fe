"""PicShare: `Live` on its production path; messages arrive over Redis pub/sub and go to all subscribers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from bench.cores import Cores
from bench.sockets import server_process
from bench.sockets.client.frames import client_frame
from bench.sockets.client.handshake import Step
from bench.sockets.machine.processes import run_redis, run_server
from bench.sockets.peers.peer import PeerServer, Running
from channels.bus.addressing import topic_channel
from channels.bus.envelope import topic_body
from tests.engines.private import free_port

_CHANNEL = "photo:1"


class PicShareProtocol:
    """Connect as a user and subscribe to a photo's channel; publish on that topic in Redis."""

    opening = server_process.OPENING
    acknowledgement = b":1\r\n"

    def steps(self, number: int) -> Sequence[Step]:
        """Return the two commands; each client is a user of its own."""
        connect = {"id": 1, "connect": {"token": str(number + 1)}}
        subscribe = {"id": 2, "subscribe": {"channel": _CHANNEL}}
        return [
            Step(client_frame(orjson.dumps(connect)), b'"connect"'),
            Step(client_frame(orjson.dumps(subscribe)), b'"subscribe"'),
        ]

    def encode(self, body: bytes) -> bytes:
        """Return the Redis command."""
        words = (b"PUBLISH", topic_channel(_CHANNEL), topic_body(body))
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@asynccontextmanager
async def _run(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    async with run_redis(folder) as redis_port:
        port = free_port()
        environment = {"PICSHARE_REDIS__URL": f"redis://127.0.0.1:{redis_port}"}
        command = cores.on_server_core(
            server_process.command("bench.sockets.server", ["memory", str(port)], environment)
        )
        async with run_server(
            command, name="picshare", folder=folder, ready=lambda: server_process.is_ready(port)
        ) as pid:
            yield Running(pid=pid, port=port, publish_port=redis_port, protocol=PicShareProtocol())


PICSHARE = PeerServer(name="PicShare", run=_run)
