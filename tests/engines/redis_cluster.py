"""A private Redis Cluster: three masters on loopback, joined by commands so that all ports can be free ones."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS

from tests.engines.private import START_DEADLINE, RedisNode, free_port

MASTERS = 3
_SETTINGS = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": 1000,  # milliseconds until the others consider a silent node failed
    "cluster-require-full-coverage": "no",
    "repl-diskless-sync-delay": 0,
    "repl-ping-replica-period": 1,  # seconds; a replica counts as connected after the first ping
}


class ClusterNode(RedisNode):
    """One node; `call` sends a command to this node only."""

    def __init__(self, folder: Path) -> None:
        self.port, self.bus_port = free_port(), free_port()
        settings = {**_SETTINGS, "cluster-port": self.bus_port}
        options = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        super().__init__(folder, self.port, options)

    def call(self, *command: str | bytes | int) -> Any:
        """Return this node's reply to a command."""
        with redis.Redis(port=self.port, protocol=2, socket_timeout=5) as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)

    @property
    def id(self) -> bytes:
        """The node's name in the cluster."""
        name: bytes = self.call("CLUSTER", "MYID")
        return name

    def meet(self, other: ClusterNode) -> None:
        """Join another node's cluster."""
        self.call("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus_port)

    def has_met(self, nodes: int) -> bool:
        """Return whether this node knows this number of nodes, itself included."""
        return self._info()[b"cluster_known_nodes"] == b"%d" % nodes

    def is_ready(self) -> bool:
        """Return whether this node serves and knows an owner for each slot."""
        info = self._info()
        return (info[b"cluster_state"], int(info[b"cluster_slots_ok"])) == (b"ok", REDIS_CLUSTER_HASH_SLOTS)

    def _info(self) -> dict[bytes, bytes]:
        return dict(line.split(b":") for line in self.call("CLUSTER", "INFO").split())

    def ports(self) -> set[int]:
        """Return the ports of all masters and replicas with slots that this node knows."""
        return {port for _, _, *nodes in self.call("CLUSTER", "SLOTS") for _, port, *_ in nodes}

    def is_synced_replica(self) -> bool:
        """Return whether this node is a replica with all data of its master."""
        role, *details = self.call("ROLE")
        return bool(role == b"slave" and details[2] == b"connected")


class RedisCluster:
    """Three masters that share the slots; nodes may be killed and restarted, and slots may be moved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._replicas = itertools.count()
        self.nodes = [ClusterNode(folder / f"node{number}") for number in range(MASTERS)]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> None:
        """Start and join the nodes, and wait until the cluster is ready."""
        for number, node in enumerate(self.nodes):
            node.start()
            first, after = (at * REDIS_CLUSTER_HASH_SLOTS // MASTERS for at in (number, number + 1))
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.call("CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            node.meet(self.nodes[0])
        self.wait()

    def wait(self) -> None:
        """Wait until every node serves, and all agree on the owners of the slots."""
        wait_until(lambda: all(node.is_ready() for node in self.nodes) and self._agree())

    def owner_of(self, slot: int) -> ClusterNode:
        """Return the master of a slot."""
        for first, last, master, *_ in _slots(self.nodes[0]):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == master[1])
        raise LookupError(f"no node has slot {slot}")

    def move(self, slot: int, target: ClusterNode) -> None:
        """Move a slot with its keys to another master."""
        source = self.owner_of(slot)
        self.begin_to_move(slot, target)
        self.migrate(slot, target)
        for node in (target, source, *self.nodes):
            node.call("CLUSTER", "SETSLOT", slot, "NODE", target.id)
        self.wait()

    def begin_to_move(self, slot: int, target: ClusterNode) -> None:
        """Mark a slot as importing at its next master and as migrating at its current one."""
        source = self.owner_of(slot)
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)

    def migrate(self, slot: int, target: ClusterNode, limit: int = 100_000) -> None:
        """Move keys of a migrating slot."""
        source = self.owner_of(slot)
        keys = source.call("CLUSTER", "GETKEYSINSLOT", slot, limit)
        if keys:
            source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    @contextmanager
    def replica_of(self, master: ClusterNode) -> Iterator[ClusterNode]:
        """Run a replica of a master; at the end of the block the master is a master again."""
        # A new folder gives the node a new id: the cluster refuses a forgotten id for a minute.
        replica = ClusterNode(self._folder / f"replica{next(self._replicas)}")
        replica.start()
        self.nodes.append(replica)
        try:
            for node in self.nodes[:MASTERS]:
                replica.meet(node)
            wait_until(lambda: all(node.has_met(len(self.nodes)) for node in self.nodes))
            replica.call("CLUSTER", "REPLICATE", master.id)
            wait_until(replica.is_synced_replica)
            wait_until(lambda: all(replica.port in node.ports() for node in self.nodes) and self._agree())
            yield replica
        finally:
            self.promote(master)
            self.nodes.remove(replica)
            name = replica.id
            replica.stop()
            for node in self.nodes:
                node.call("CLUSTER", "FORGET", name)

    def promote(self, node: ClusterNode) -> None:
        """Make a node the master, if it is a replica."""
        # A node that has just been restarted begins in its former role, until it learns of its successor.
        self.wait()
        if node.call("ROLE")[0] == b"slave":
            wait_until(node.is_synced_replica)
            node.call("CLUSTER", "FAILOVER", "TAKEOVER")
            self.wait()

    def stop(self) -> None:
        """Stop all nodes."""
        for node in self.nodes:
            node.stop()

    def _agree(self) -> bool:
        ports = {node.port for node in self.nodes}
        views = [
            [
                (first, last, master[1], {port for _, port, *_ in replicas})
                for first, last, master, *replicas in _slots(node)
            ]
            for node in self.nodes
        ]
        return all(view == views[0] for view in views) and all(node.ports() <= ports for node in self.nodes)


def wait_until(check: Callable[[], bool]) -> None:
    """Wait for a condition that spreads between nodes; raise RuntimeError if it does not become true."""
    deadline = time.monotonic() + START_DEADLINE
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError("the cluster did not settle")
        time.sleep(0.02)


def _slots(node: ClusterNode) -> list[Any]:
    ranges: list[Any] = node.call("CLUSTER", "SLOTS")
    return sorted(ranges, key=itemgetter(0))


@contextmanager
def redis_cluster(folder: Path) -> Iterator[RedisCluster]:
    """Run a cluster until the end of the block."""
    cluster = RedisCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
