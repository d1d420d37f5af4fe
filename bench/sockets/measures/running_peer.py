"""A server under test with its clients, and the CPU time that it needs for each delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.cores import Cores
from bench.sockets.client.broadcast_clients import BroadcastClients
from bench.sockets.client.remote import Remote, remote
from bench.sockets.machine.usage import cpu_seconds
from bench.sockets.peers.peer import PeerServer, Running


@dataclass(kw_only=True)
class RunningPeer:
    """A server with its clients, and the measured costs: µs for each delivery, by kind of publishing."""

    name: str
    running: Running
    clients: Remote
    sockets: int = 0
    costs: dict[str, list[float]] = field(default_factory=dict)

    async def connect(self, sockets: int) -> None:
        """Connect as many clients, in place of those there were."""
        await self.clients.call("connect", sockets)
        self.sockets = sockets

    async def cost(self, messages: int, together: int) -> float:
        """Publish, and return the server's CPU time for each delivery, in microseconds."""
        before = cpu_seconds(self.running.pid)
        await self.clients.call("broadcast", messages, together)
        return (cpu_seconds(self.running.pid) - before) / (messages * self.sockets) * 1e6


@asynccontextmanager
async def run_peer(peer: PeerServer, number: int, folder: Path, cores: Cores) -> AsyncIterator[RunningPeer]:
    """Run a server, and its clients in a process of their own, until the end of the block.

    `number` gives the clients a loopback address, and therefore ports, that no other peer's have.
    """
    home = folder / str(number)
    home.mkdir()
    async with peer.run(home, cores) as running:
        make = partial(
            BroadcastClients,
            protocol=running.protocol,
            port=running.port,
            publish_port=running.publish_port,
            source=f"127.0.0.{10 + number}",
        )
        async with remote(make) as clients:
            yield RunningPeer(name=peer.name, running=running, clients=clients)
