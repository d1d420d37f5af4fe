"""Slot map of a Redis Cluster, without I/O: the master of each of its 16,384 slots."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS

from storage.redis.address import RedisAddress


class SlotMap:
    """A reply to CLUSTER SLOTS; the other addresses are derived from `asked`, the address of the node that replied."""

    def __init__(self, reply: Sequence[Any], asked: RedisAddress) -> None:
        self._asked = asked
        self._masters: list[RedisAddress | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        # Dicts serve as ordered sets here.
        masters: dict[RedisAddress, None] = {}
        replicas: dict[RedisAddress, None] = {}
        for first, last, *nodes in reply:
            addresses = [self._address(host, port) for host, port, *_ in nodes]
            # The first node of a range is its master.
            if addresses and addresses[0] is not None:
                self._masters[first : last + 1] = [addresses[0]] * (last + 1 - first)
                masters[addresses[0]] = None
            replicas |= {address: None for address in addresses[1:] if address is not None}
        self.masters = list(masters)
        self.nodes = list(masters | replicas)

    def master_of(self, slot: int) -> RedisAddress | None:
        """Return the master of a slot; None if the slot has no reachable master."""
        return self._masters[slot]

    def move(self, slot: int, master: RedisAddress) -> None:
        """Assign a slot to another master, which may be a replica that was just promoted."""
        self._masters[slot] = master
        if master not in self.masters:
            self.masters.append(master)

    def _address(self, host: bytes | None, port: int) -> RedisAddress | None:
        if host == b"?":
            return None  # The node prefers host names but has none configured.
        # An empty host means the address at which the replying node was reached.
        name = host.decode() if host else self._asked.host
        return dataclasses.replace(self._asked, host=name, port=port)
