"""PicShare: `Live` on its production path; a message comes over Redis pub/sub and leaves to all who subscribed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from bench.cores import Cores
from bench.sockets import server_process as under_test
from bench.sockets.client.frames import client_frame
from bench.sockets.client.handshake import Step
from bench.sockets.machine.processes import serving
from bench.sockets.machine.redis import redis_on
from bench.sockets.peers.peer import Peer, Running
from channels.bus.addressing import topic_channel
from channels.bus.envelope import topic_body
from tests.engines.private import free_port

_CHANNEL = "photo:1"


class PicShareDialect:
    """Connect as somebody, subscribe to a photo's channel; publish on that topic in Redis."""

    manners = under_test.MANNERS
    receipt = b":1\r\n"

    def steps(self, number: int) -> Sequence[Step]:
        """Return the two commands; client `number` is a person of its own."""
        connect = {"id": 1, "connect": {"token": str(number + 1)}}
        subscribe = {"id": 2, "subscribe": {"channel": _CHANNEL}}
        return [
            Step(client_frame(orjson.dumps(connect)), b'"connect"'),
            Step(client_frame(orjson.dumps(subscribe)), b'"subscribe"'),
        ]

    def published(self, body: bytes) -> bytes:
        """Return the Redis command."""
        words = (b"PUBLISH", topic_channel(_CHANNEL), topic_body(body))
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@asynccontextmanager
async def _run(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    async with redis_on(folder) as redis_port:
        port = free_port()
        environment = {"PICSHARE_REDIS__URL": f"redis://127.0.0.1:{redis_port}"}
        command = cores.serving(under_test.command("bench.sockets.server", ["bare", str(port)], environment))
        async with serving(command, name="picshare", folder=folder, ready=lambda: under_test.is_ready(port)) as pid:
            yield Running(pid=pid, port=port, publish_port=redis_port, dialect=PicShareDialect())


PICSHARE = Peer(name="PicShare", run=_run)
