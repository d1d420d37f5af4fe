"""The index of connections: what it counts, what it delivers to, and that it keeps nothing of what has gone."""

from __future__ import annotations

import asyncio

from channels.bus.addressing import topic_channel
from channels.connection.connection import Connection
from channels.contract.ports import Grant, Publication
from tests.support.recovery_scene import Scene

TOPIC = topic_channel("photo:1")


def grant(owner_id: int = 1, topic: str = "photo:1") -> Grant:
    """Return the permission to subscribe to a topic."""
    return Grant(topic=topic, owner_id=owner_id)


def newcomer(scene: Scene, address: str) -> Connection:
    """Return a connection from an address, which is in the hub without a user."""
    connection, _ = scene.device()
    scene.hub.leave(connection)
    connection.identity, connection.address = None, address
    scene.hub.add(connection)
    return connection


async def test_connections_are_counted_by_address(scene: Scene) -> None:
    """Each counts once; an address without connections is not kept."""
    first, second, other = (newcomer(scene, address) for address in ("a", "a", "b"))
    assert [scene.hub.count_at_address(address) for address in "abc"] == [2, 1, 0]
    assert len(scene.hub) == 3
    scene.hub.discard(first)
    assert [scene.hub.count_at_address(address) for address in "abc"] == [1, 1, 0]
    scene.hub.discard(second)
    scene.hub.discard(other)
    assert not scene.hub._by_address


async def test_a_drained_hub_is_empty(scene: Scene) -> None:
    """The event is set at the start and after the last connection, whether it was authenticated or not."""
    assert scene.hub.empty.is_set()
    first, second = newcomer(scene, "a"), newcomer(scene, "a")
    states = [scene.hub.empty.is_set()]
    scene.hub.discard(first)
    states.append(scene.hub.empty.is_set())
    scene.hub.discard(second)
    states.append(scene.hub.empty.is_set())
    assert states == [False, False, True]


async def test_nothing_is_kept_of_a_subscription(scene: Scene) -> None:
    """After its end neither the topic nor the owner's entry remains, whatever name the client used."""
    scene.hub.subscribe(scene.connection, "photo:1", grant())
    scene.hub.subscribe(scene.connection, "PHOTO:1", grant())
    scene.hub.subscribe(scene.connection, "photo:2", grant(topic="photo:2"))
    scene.hub.unsubscribe(scene.connection, "photo:1")
    assert scene.hub.has_subscribers(TOPIC)
    for channel in ("PHOTO:1", "photo:2", "photo:3"):
        scene.hub.unsubscribe(scene.connection, channel)
    assert not scene.hub.has_subscribers(TOPIC)
    assert not scene.hub._topics_of


async def test_a_block_follows_a_topic_under_its_other_name(scene: Scene) -> None:
    """The end of one of two names of a topic does not end the exclusion of a blocked author's work."""
    scene.hub.blocks.load(7, [9])
    for channel in ("photo:1", "PHOTO:1"):
        scene.hub.subscribe(scene.connection, channel, grant())
    scene.hub.unsubscribe(scene.connection, "PHOTO:1")
    scene.hub.deliver_topic(TOPIC, Publication(data=b'"of the blocked"'), author_ids=[9])
    scene.hub.deliver_topic(TOPIC, Publication(data=b'"of another"'), author_ids=[8])
    await asyncio.sleep(0)
    sent = b"".join(scene.transport.writes)
    assert b"of another" in sent
    assert b"of the blocked" not in sent
    scene.hub.unsubscribe(scene.connection, "photo:1")
    assert not scene.hub.blocks._guarded


async def test_a_loss_forgets_topics_and_blocks(scene: Scene) -> None:
    """Nothing is delivered to the subscriptions from before it, and lists that may be outdated are not used."""
    scene.hub.blocks.load(7, [9])
    scene.hub.subscribe(scene.connection, "photo:1", grant())
    scene.hub.detach_topics()
    scene.hub.deliver_topic(TOPIC, Publication(data=b"1"))
    assert await scene.sent() == []
    assert not scene.hub.blocks.is_loaded(7)
    assert not scene.hub.blocks._guarded
    assert not scene.hub._topics_of


async def test_a_second_leave_changes_nothing(scene: Scene) -> None:
    """A connection that has left, after a failed connect for instance, leaves the user's others as they are."""
    other, _ = scene.device()
    results = [scene.hub.leave(scene.connection), scene.hub.leave(scene.connection)]
    assert results == [None, None]
    assert scene.hub.open_connections(7) == [other]
    assert scene.hub.leave(other) == 7
    assert scene.hub.leave(other) is None


async def test_watches_of_a_topic_end_one_by_one(scene: Scene) -> None:
    """A flag is set by messages inside its block alone, and nothing is kept after the last one."""
    with scene.hub.subscribes.watch_topic(TOPIC) as longer:
        with scene.hub.subscribes.watch_topic(TOPIC) as shorter:
            pass
        scene.hub.deliver_topic(TOPIC, Publication(data=b"1"))
    assert (longer.changed, shorter.changed) == (True, False)
    assert not scene.hub.subscribes._flags


async def test_watches_of_permissions_end(scene: Scene) -> None:
    """An order after the block does not reach what the block has collected."""
    with scene.hub.subscribes.watch_permissions(scene.connection) as changes:
        scene.hub.close_topics_of(1)
    scene.hub.close_topics_of(2)
    assert (changes.owners, changes.all) == ({1}, False)


async def test_a_closed_topic_spares_its_owner(scene: Scene) -> None:
    """All other subscriptions end, those of visitors included."""
    visitor, _ = scene.device(user_id=8)
    scene.hub.leave(visitor)
    visitor.identity = None
    for connection in (scene.connection, visitor):
        scene.hub.subscribe(connection, "photo:1", grant(owner_id=7))
    scene.hub.close_topic(TOPIC, spare_owner=True)
    assert (list(scene.connection.channels), list(visitor.channels)) == (["photo:1"], [])
    await asyncio.sleep(0)
    assert b"unsubscribe" not in b"".join(scene.transport.writes)
