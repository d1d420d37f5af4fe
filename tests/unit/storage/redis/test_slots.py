"""The slot map, from replies in the forms of Redis and Valkey."""

from __future__ import annotations

import pytest

from storage.redis.address import RedisAddress
from storage.redis.slots import SlotMap

ASKED = RedisAddress(host="asked", port=1, username="u", password="p")


def at(host: str, port: int) -> RedisAddress:
    """Return a node's address."""
    return RedisAddress(host=host, port=port, username="u", password="p")


def test_masters_and_replicas() -> None:
    """The first node of a range is its master; all nodes are known, with the settings of the node that replied."""
    reply = [
        [0, 99, [b"a", 1, b"id", []], [b"b", 2, b"id", []]],
        [100, 16383, [b"c", 3, b"id"], [b"a", 4, b"id"]],
        [200, 299, [b"a", 1, b"id"]],
    ]
    slots = SlotMap(reply, ASKED)
    expected = {0: at("a", 1), 99: at("a", 1), 100: at("c", 3), 250: at("a", 1), 16383: at("c", 3)}
    assert {slot: slots.master_of(slot) for slot in expected} == expected
    assert slots.masters == [at("a", 1), at("c", 3)]
    assert slots.nodes == [at("a", 1), at("c", 3), at("b", 2), at("a", 4)]


def test_slots_without_a_master() -> None:
    """A slot that no range names has no master; neither has one whose master has no address."""
    slots = SlotMap([[5, 9, [b"?", 1, b"id"], [b"b", 2, b"id"]]], ASKED)
    assert [slots.master_of(slot) for slot in (0, 5, 9, 10)] == [None] * 4
    assert slots.nodes == [at("b", 2)]


@pytest.mark.parametrize("host", [None, b""])
def test_node_without_a_host(host: bytes | None) -> None:
    """A node without a host is reached at the host of the node that replied, at its own port."""
    assert SlotMap([[0, 0, [host, 7, b"id"]]], ASKED).master_of(0) == at("asked", 7)


def test_moved_slot() -> None:
    """A moved slot has the new master; its neighbours keep the old one."""
    slots = SlotMap([[0, 16383, [b"a", 1, b"id"]]], ASKED)
    slots.move(7, at("b", 2))
    assert [slots.master_of(slot) for slot in (6, 7, 8)] == [at("a", 1), at("b", 2), at("a", 1)]
