"""A private Redis Cluster: three masters on loopback, joined by commands so that all ports can be free ones.

With replicas, it has the shipped configuration, and a replica takes over when its master is lost.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    # A node without processor time for a second looks failed; its replica must not take over in the middle of a test.
    "cluster-replica-no-failover": "yes",
    "repl-diskless-sync-delay": 0,
    "repl-ping-replica-period": 1,  # seconds; a replica counts as connected after the first ping
}


@dataclass(frozen=True)
class Member:
    """What one node knows about a node; two nodes that agree about it have equal ones."""

    port: int
    role: bytes  # master or slave, and its troubles: fail, fail?, handshake, noaddr
    master: bytes  # id; "-" for a master
    epoch: int
    slots: frozenset[bytes]
    connected: bool


class ClusterNode(RedisNode):
    """One node; `call` sends a command to this node only."""

    def __init__(self, folder: Path, *, shipped: bool = False) -> None:
        self.port, self.bus_port = free_port(), free_port()
        settings = {**({} if shipped else _SETTINGS), "cluster-port": self.bus_port}
        options = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        super().__init__(folder, self.port, options, shipped="cluster.conf" if shipped else None)

    def call(self, *command: str | bytes | int) -> Any:
        """Return this node's reply to a command."""
        with redis.Redis(port=self.port, password=self.password, protocol=2, socket_timeout=5) as client:
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

    def is_ready(self) -> bool:
        """Return whether this node serves and knows an owner for each slot."""
        info = dict(line.split(b":") for line in self.call("CLUSTER", "INFO").split())
        return (info[b"cluster_state"], int(info[b"cluster_slots_ok"])) == (b"ok", REDIS_CLUSTER_HASH_SLOTS)

    def view(self) -> dict[bytes, Member]:
        """Return what this node knows about each node of the cluster, by id."""
        return dict(map(_member, self.call("CLUSTER", "NODES").splitlines()))

    def is_synced_replica(self) -> bool:
        """Return whether this node is a replica with all data of its master."""
        role, *details = self.call("ROLE")
        return bool(role == b"slave" and details[2] == b"connected")


class RedisCluster:
    """Three masters that share the slots; nodes may be killed and restarted, and slots may be moved.

    With `replicas`, each has one that takes over by itself.
    """

    def __init__(self, folder: Path, *, replicas: bool = False) -> None:
        self._folder = folder
        self._replicas = itertools.count()
        count = MASTERS * 2 if replicas else MASTERS
        self.nodes = [ClusterNode(folder / f"node{number}", shipped=replicas) for number in range(count)]
        user = f":{self.nodes[0].password}@" if replicas else ""
        self.url = f"redis+cluster://{user}" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> None:
        """Start and join the nodes, and wait until the cluster is ready."""
        masters, replicas = self.nodes[:MASTERS], self.nodes[MASTERS:]
        for number, node in enumerate(self.nodes):
            node.start()
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if node in masters:
                first, after = (at * REDIS_CLUSTER_HASH_SLOTS // MASTERS for at in (number, number + 1))
                node.call("CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            node.meet(self.nodes[0])
        self.wait()
        for master, replica in zip(masters, replicas, strict=False):
            replica.call("CLUSTER", "REPLICATE", master.id)
        wait_until(lambda: all(replica.is_synced_replica() for replica in replicas))
        self.wait()

    def wait(self) -> None:
        """Wait until every node serves, and all report the same about each of them."""
        try:
            wait_until(lambda: all(node.is_ready() for node in self.nodes) and self._agree())
        except RuntimeError as error:
            views = "\n\n".join(node.call("CLUSTER", "NODES").decode() for node in self.nodes)
            raise RuntimeError(f"the nodes of the cluster do not agree:\n{views}") from error

    def owner_of(self, slot: int) -> ClusterNode:
        """Return the master of a slot."""
        running = next(node for node in self.nodes if node.is_running())
        for first, last, master, *_ in _slots(running):
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
            self.wait()
            replica.call("CLUSTER", "REPLICATE", master.id)
            wait_until(replica.is_synced_replica)
            self.wait()
            yield replica
        finally:
            for node in self.nodes:
                # A test that failed meanwhile must not take the cluster away from those after it.
                if not node.is_running():
                    node.start()
            self.promote(master)
            self.nodes.remove(replica)
            name = replica.id
            replica.stop()
            for node in self.nodes:
                node.call("CLUSTER", "FORGET", name)
            self.wait()

    def promote(self, node: ClusterNode) -> None:
        """Make a node a master, unless it is one, and wait until every node knows."""
        # A restarted node begins with the role that it had, and is soon corrected by the others. Once all agree it also
        # knows the newest epoch, without which its takeover would not count.
        self.wait()
        if node.call("ROLE")[0] == b"slave":
            wait_until(node.is_synced_replica)
            node.call("CLUSTER", "FAILOVER", "TAKEOVER")
            name = node.id
            wait_until(lambda: node.view()[name].role == b"master")
            self.wait()

    def restart_each(self) -> None:
        """Restart every node in turn, as an upgrade does: a master hands over to its replica before."""
        for node in self.nodes:
            name = node.id
            if node.call("ROLE")[0] == b"master":
                replica = next(each for each in self.nodes if node.view()[each.id].master == name)
                replica.call("CLUSTER", "FAILOVER")
                wait_until(lambda node=node: node.call("ROLE")[0] == b"slave")  # type: ignore[misc]
            node.stop()
            node.start()
            wait_until(node.is_synced_replica)
            self.wait()

    def stop(self) -> None:
        """Stop all nodes."""
        for node in self.nodes:
            node.stop()

    def _agree(self) -> bool:
        views = [node.view() for node in self.nodes]
        return (
            all(view == views[0] for view in views)
            and {member.port for member in views[0].values()} == {node.port for node in self.nodes}
            and all(member.connected and member.role in {b"master", b"slave"} for member in views[0].values())
        )


def _member(line: bytes) -> tuple[bytes, Member]:
    # Format: id, host:port@port,…, flags, master, ping, pong, epoch, state of the link, slots. Migrations are in
    # brackets, and only the nodes that take part in them list them.
    name, address, flags, master, _, _, epoch, link, *slots = line.split()
    port = int(address.partition(b"@")[0].rpartition(b":")[2])
    role = b",".join(sorted(set(flags.split(b",")) - {b"myself", b"nofailover"}))
    owned = frozenset(slot for slot in slots if not slot.startswith(b"["))
    return name, Member(port, role, master, int(epoch), owned, connected=link == b"connected")


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
def redis_cluster(folder: Path, *, replicas: bool = False) -> Iterator[RedisCluster]:
    """Run a cluster until the end of the block."""
    cluster = RedisCluster(folder, replicas=replicas)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
