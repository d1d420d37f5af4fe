"""Subscriptions and publications that end with a permission, in the hub alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from channels.bus.addressing import topic_channel
from channels.connection.connection import Connection
from channels.contract.ports import Grant, Publication
from tests.support.memory_transport import MemoryTransport
from tests.support.recovery_scene import Scene

TOPIC = topic_channel("photo:A")
OWNER, VIEWER, AUTHOR = 5, 7, 9


def subscribe(scene: Scene, connection: Connection, *channels: str, owner_id: int = OWNER) -> None:
    """Subscribe to the topics of an owner; a channel's name in small letters is another name of the topic."""
    for channel in channels:
        kind, _, name = channel.partition(":")
        scene.hub.subscribe(connection, channel, Grant(topic=f"{kind}:{name.upper()}", owner_id=owner_id))


async def received(transport: MemoryTransport) -> list[bytes]:
    """Return which of the documents "1", "2" … a client has received since the last call, and "end" of a channel."""
    await asyncio.sleep(0)
    payload = b"".join(transport.writes)
    transport.writes.clear()
    parts = payload.split(b'"push":{"channel":')[1:]
    return [b"end" if b"unsubscribe" in part else part.split(b'"data":')[1][:1] for part in parts]


def publish(scene: Scene, number: int, author_ids: Sequence[int] = (AUTHOR,)) -> None:
    """Deliver a document on the topic."""
    scene.hub.deliver_topic(TOPIC, Publication(data=b"%d" % number), author_ids=author_ids)


async def test_publications_do_not_cross_a_block(scene: Scene) -> None:
    """A publication skips subscribers whose list has one of its authors; others, and other authors', arrive."""
    other, others = scene.device(user_id=8)
    scene.hub.blocks.load(VIEWER, [AUTHOR])
    scene.hub.blocks.load(8, [])
    for connection in (scene.connection, other):
        subscribe(scene, connection, "photo:A")
    publish(scene, 1)
    publish(scene, 2, [10])
    publish(scene, 3, [])
    publish(scene, 4, [10, AUTHOR])
    assert await received(scene.transport) == [b"2", b"3"]
    assert await received(others) == [b"1", b"2", b"3", b"4"]


async def test_a_block_takes_effect_on_present_subscriptions(scene: Scene) -> None:
    """A block separates from the next publication on, also with a list that was empty, and an unblock ends that."""
    scene.hub.blocks.load(VIEWER, [])
    subscribe(scene, scene.connection, "photo:A")
    publish(scene, 1)
    scene.hub.block([VIEWER], AUTHOR)
    publish(scene, 2)
    scene.hub.unblock([VIEWER], AUTHOR)
    publish(scene, 3)
    assert await received(scene.transport) == [b"1", b"3"]


async def test_a_block_ends_subscriptions_to_the_other_user(scene: Scene) -> None:
    """A block ends the subscriptions to topics of the other user."""
    scene.hub.blocks.load(VIEWER, [])
    subscribe(scene, scene.connection, "photo:A")
    scene.hub.block([VIEWER], OWNER)
    publish(scene, 1)
    assert await received(scene.transport) == [b"end"]


async def test_a_second_name_stays_separated(scene: Scene) -> None:
    """After one of two channel names of a topic is unsubscribed, the other one remains separated."""
    scene.hub.blocks.load(VIEWER, [AUTHOR])
    subscribe(scene, scene.connection, "photo:A", "photo:a")
    scene.hub.unsubscribe(scene.connection, "photo:A")
    publish(scene, 1)
    publish(scene, 2, [10])
    assert await received(scene.transport) == [b"2"]


async def test_another_subscriber_stays_separated(scene: Scene) -> None:
    """The end of one client's subscription does not end the separation of another client from the same author."""
    second, transport = scene.device()
    scene.hub.blocks.load(VIEWER, [AUTHOR])
    for connection in (scene.connection, second):
        subscribe(scene, connection, "photo:A")
    scene.hub.unsubscribe(scene.connection, "photo:A")
    publish(scene, 1)
    publish(scene, 2, [10])
    assert await received(transport) == [b"2"]


async def test_without_blocks_nothing_is_checked(scene: Scene) -> None:
    """A subscriber whose user's list is empty costs a delivery nothing."""
    scene.hub.blocks.load(VIEWER, [])
    subscribe(scene, scene.connection, "photo:A")
    assert not scene.hub.blocks._guarded


async def test_lists_are_kept_while_a_user_is_here(scene: Scene) -> None:
    """A user's list serves all connections, and is dropped with the last: no order would reach it any more."""
    second, transport = scene.device()
    scene.hub.blocks.load(VIEWER, [AUTHOR])
    scene.hub.leave(scene.connection)
    subscribe(scene, second, "photo:A")
    publish(scene, 1)
    assert await received(transport) == []
    scene.hub.leave(second)
    assert not scene.hub.blocks.is_loaded(VIEWER)


async def test_orders_reach_subscribes_in_progress(scene: Scene) -> None:
    """A revocation concerns the owner's grants, a block or unblock each grant: the list was read before it."""
    with scene.hub.subscribes.watch_permissions(scene.connection) as changes:
        scene.hub.revoke([VIEWER], OWNER)
        assert changes.concern(OWNER)
        assert not changes.concern(AUTHOR)
    for order in (scene.hub.block, scene.hub.unblock):
        with scene.hub.subscribes.watch_permissions(scene.connection) as changes:
            order([8], AUTHOR)
            assert not changes.concern(OWNER)
            order([VIEWER], AUTHOR)
            assert changes.concern(OWNER)


async def test_all_topics_of_an_owner_end(scene: Scene) -> None:
    """All topics of an owner end for all, however many they are; those of other owners go on."""
    numbers = range(300)
    subscribe(scene, scene.connection, *(f"photo:{number}" for number in numbers))
    subscribe(scene, scene.connection, "photo:A", owner_id=6)
    with scene.hub.subscribes.watch_permissions(scene.connection) as changes:
        scene.hub.close_topics_of(OWNER)
        assert changes.concern(OWNER)
        assert not changes.concern(6)
    assert await received(scene.transport) == [b"end"] * len(numbers)
    assert not any(scene.hub.has_subscribers(topic_channel(f"photo:{number}")) for number in numbers)
    publish(scene, 1)
    assert await received(scene.transport) == [b"1"]


async def test_the_owner_is_spared(scene: Scene) -> None:
    """If the owner is spared, only the others' subscriptions end."""
    owner, owners = scene.device(user_id=OWNER)
    for connection in (scene.connection, owner):
        subscribe(scene, connection, "photo:A")
    scene.hub.close_topics_of(OWNER, spare_owner=True)
    publish(scene, 1)
    assert await received(scene.transport) == [b"end"]
    assert await received(owners) == [b"1"]


async def test_nothing_is_delivered_after_a_loss(scene: Scene) -> None:
    """After a loss a subscription receives nothing until it is made again, also if others subscribe to the topic.

    A revocation may be among what was lost.
    """
    subscribe(scene, scene.connection, "photo:A")
    with scene.hub.subscribes.watch_permissions(scene.connection) as changes:
        scene.recovery.lost()
        assert changes.concern(OWNER)
    other, others = scene.device(user_id=8)
    subscribe(scene, other, "photo:A")
    publish(scene, 1)
    assert await received(scene.transport) == []
    assert await received(others) == [b"1"]
    scene.hub.unsubscribe(scene.connection, "photo:A")
    assert scene.hub.has_subscribers(TOPIC)
    assert not scene.hub.blocks.is_loaded(VIEWER)
