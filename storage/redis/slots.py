"""A cluster's slot map, without I/O: which master each of its 16,384 slots lies on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS

from storage.redis.connection import RedisAddress


class SlotMap:
    """What a node answered to CLUSTER SLOTS; `asked` is that node, from whose address all others are made."""

    def __init__(self, answer: Sequence[Any], asked: RedisAddress) -> None:
        self._asked = asked
        self._masters: list[RedisAddress | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        masters: dict[RedisAddress, None] = {}
        replicas: dict[RedisAddress, None] = {}
        for first, last, *nodes in answer:
            places = [self._place(host, port) for host, port, *_ in nodes]
            if places and places[0] is not None:
                self._masters[first : last + 1] = [places[0]] * (last + 1 - first)
                masters[places[0]] = None
            replicas |= {place: None for place in places[1:] if place is not None}
        self.masters = list(masters)
        self.nodes = list(masters | replicas)

    def master_of(self, slot: int) -> RedisAddress | None:
        """Return the master of a slot, None when it has none that can be reached."""
        return self._masters[slot]

    def move(self, slot: int, master: RedisAddress) -> None:
        """Note that a slot has moved, perhaps to a node that has just become a master."""
        self._masters[slot] = master
        if master not in self.masters:
            self.masters.append(master)

    def _place(self, host: bytes | None, port: int) -> RedisAddress | None:
        if host == b"?":
            return None  # a node that is to be called by its name, and has none
        # Without a host it is reached the same way as the node that answers.
        name = host.decode() if host else self._asked.host
        return dataclasses.replace(self._asked, host=name, port=port)
