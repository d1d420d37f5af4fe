"""When the slot map is read again after a master was lost, on nodes in memory and in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import redis.exceptions as driver

from storage.redis.address import RedisAddress
from storage.redis.cluster import ClusterConnections
from tests.support.memory_transport import MemoryTransport
from tests.support.virtual_loop import VirtualLoop

OLD, NEW = 7001, 7002  # ports
SEEDS = [RedisAddress(host="127.0.0.1", port=port) for port in (OLD, NEW)]


class Nodes:
    """Two nodes, of which `master` has all slots; nothing answers at the ports that are `gone`."""

    def __init__(self) -> None:
        self.master = OLD
        self.gone: set[int] = set()
        self.maps_read = 0
        self._open: list[NodeTransport] = []

    def lose(self, port: int) -> None:
        """End a node and its connections."""
        self.gone.add(port)
        for transport in self._open:
            if transport.port == port:
                transport.abort()

    def reply(self, command: bytes) -> bytes:
        """Return the reply to a command."""
        if b"SLOTS" in command:
            self.maps_read += 1
            return b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % self.master
        return b"*2\r\n:0\r\n$3\r\nrun\r\n" if b"EVAL" in command else b"+OK\r\n"

    def connect(self, protocol: asyncio.BufferedProtocol, port: int) -> NodeTransport:
        """Open a connection."""
        if port in self.gone:
            raise ConnectionRefusedError(port)
        self._open.append(NodeTransport(self, protocol, port))
        return self._open[-1]


class NodeTransport(MemoryTransport):
    """A connection to a node, which answers in the next turn of the loop."""

    def __init__(self, nodes: Nodes, protocol: asyncio.BufferedProtocol, port: int) -> None:
        super().__init__()
        self.port = port
        self._nodes, self._protocol = nodes, protocol

    def write(self, data: bytes) -> None:
        """Answer a command."""
        asyncio.get_running_loop().call_soon(self._receive, self._nodes.reply(data))

    def abort(self) -> None:
        """End the connection."""
        if not self.aborted:
            super().abort()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def _receive(self, reply: bytes) -> None:
        if not self.aborted:
            memoryview(self._protocol.get_buffer(len(reply)))[: len(reply)] = reply
            self._protocol.buffer_updated(len(reply))


class NodesLoop(VirtualLoop):
    """A loop whose connections lead to the nodes."""

    def __init__(self, nodes: Nodes) -> None:
        super().__init__()
        self._nodes = nodes

    async def create_connection(self, protocol_factory: Callable[[], Any], *address: Any, **_: Any) -> Any:
        """Open a connection to a node."""
        protocol = protocol_factory()
        transport = self._nodes.connect(protocol, address[1])
        protocol.connection_made(transport)
        return transport, protocol


def run(test: Callable[[Nodes, ClusterConnections], Coroutine[Any, Any, None]]) -> None:
    """Run a test whose client has just read the slot map, in which OLD is the master."""
    nodes = Nodes()

    async def main() -> None:
        connections = ClusterConnections(SEEDS, reply_timeout=5, connect_timeout=5)
        assert await connections.execute_command("SET", "a", "1") == b"OK"
        assert nodes.maps_read == 1
        await test(nodes, connections)
        await connections.aclose()

    with asyncio.Runner(loop_factory=lambda: NodesLoop(nodes)) as runner:
        runner.run(main())


def test_successor_is_found_with_a_map_that_was_just_read() -> None:
    """Commands that find their master gone reach its successor, although the map was read the moment before."""

    async def test(nodes: Nodes, connections: ClusterConnections) -> None:
        nodes.lose(OLD)
        nodes.master = NEW
        replies = await asyncio.gather(*(connections.execute_command("SET", "a", "1") for _ in range(20)))
        assert replies == [b"OK"] * 20
        assert connections.server_of(b"a").port == NEW
        assert nodes.maps_read == 2  # they share one request

    run(test)


def test_an_outage_does_not_read_the_map_for_each_command() -> None:
    """Without a successor the map is read when the outage begins, and then once in each tenth of a second at most."""

    async def test(nodes: Nodes, connections: ClusterConnections) -> None:
        nodes.lose(OLD)
        for _ in range(50):
            with pytest.raises(driver.ConnectionError):
                await connections.execute_command("SET", "a", "1")
        assert nodes.maps_read == 2
        for _ in range(50):
            await asyncio.sleep(0.05)
            with pytest.raises(driver.ConnectionError):
                await connections.execute_command("SET", "a", "1")
        assert nodes.maps_read <= 2 + 50 * 0.05 / 0.1

    run(test)


def test_a_second_failover_is_a_new_outage() -> None:
    """A server that fails again later than a second after its last failure is looked up again at once."""

    async def test(nodes: Nodes, connections: ClusterConnections) -> None:
        nodes.lose(OLD)
        nodes.master = NEW
        await connections.execute_command("SET", "a", "1")
        nodes.gone.clear()
        nodes.master = OLD
        await asyncio.sleep(1)
        await connections.refresh_slots()
        await connections.execute_command("SET", "a", "1")
        assert connections.server_of(b"a").port == OLD
        nodes.lose(OLD)
        nodes.master = NEW
        assert await connections.execute_command("SET", "a", "1") == b"OK"

    run(test)
