"""Connected users receive what the stars that they follow publish, and no user is missed while they connect."""

from __future__ import annotations

import asyncio

from channels.bus.addressing import star_channel
from channels.bus.envelope import encode_envelope, star_body, stream_body
from channels.hub.delivery import Delivery
from channels.hub.star_followers import StarFollowers
from storage.ids import slot_group
from tests.support.eventually import eventually
from tests.support.fake_ports import FakePresences
from tests.support.recovery_scene import Scene

STAR, OTHER, VIEWER = 500, 600, 7
GROUP = slot_group(VIEWER)
PROCESS = b"process"
CHANNELS = frozenset([PROCESS, star_channel(GROUP), star_channel(GROUP + 1)])


def deliver(scene: Scene, channel: bytes, message: bytes) -> None:
    """Deliver a message to the scene's process."""
    Delivery(scene.hub, FakePresences(), CHANNELS, scene.recovery, lambda *_: None).message(
        channel, message, more=False
    )


def announce(scene: Scene, number: int, *, star: int = STAR, group: int = GROUP) -> None:
    """Deliver a star's announcement for the users of a slot group."""
    message = encode_envelope([star], stream_body("feed", b"%d" % number), offset=1000 + number)
    deliver(scene, star_channel(group), message)


def order(scene: Scene, *, following: bool, user_id: int = VIEWER) -> None:
    """Deliver an order about a user and the star."""
    deliver(scene, PROCESS, encode_envelope([user_id], star_body(STAR, following)))


async def test_followers_receive_announcements(scene: Scene) -> None:
    """Between the orders the client receives what the star announces to its slot group, once, and no other star's."""
    announce(scene, 1)
    order(scene, following=True)
    order(scene, following=True)
    announce(scene, 2)
    announce(scene, 3, star=OTHER)
    announce(scene, 4, group=GROUP + 1)
    announce(scene, 5)
    order(scene, following=False)
    announce(scene, 6)
    assert await scene.sent() == [2, 5]


async def test_users_without_a_connection_leave_nothing(scene: Scene) -> None:
    """Orders about users who are not connected here, and the last connection of a user, leave no entry."""
    order(scene, following=True, user_id=99)
    order(scene, following=True)
    scene.hub.leave(scene.connection)
    scene.hub.set_stars(VIEWER, [STAR, OTHER])
    empty = StarFollowers(slot_group)
    assert [getattr(scene.hub.stars, name) for name in ("_users", "_stars", "_watches")] == [
        getattr(empty, name) for name in ("_users", "_stars", "_watches")
    ]


async def test_the_stars_are_read(scene: Scene) -> None:
    """Those that are read replace the earlier ones."""
    order(scene, following=True)
    scene.streams.followed[VIEWER] = [OTHER]
    await scene.recovery.read_stars(VIEWER)
    announce(scene, 1)
    announce(scene, 2, star=OTHER)
    assert await scene.sent() == [2]


async def test_an_order_during_the_read(scene: Scene) -> None:
    """What was read may be older than the order, so it is read again."""

    def follow() -> None:
        scene.streams.followed[VIEWER] = [STAR]
        order(scene, following=True)

    scene.streams.after_star_read = follow
    await scene.recovery.read_stars(VIEWER)
    assert scene.streams.star_reads == 2
    announce(scene, 1)
    assert await scene.sent() == [1]


async def test_a_loss_during_the_read(scene: Scene) -> None:
    """An order may be missed in a loss, so the stars are read again."""
    scene.streams.after_star_read = scene.recovery.lost
    await scene.recovery.read_stars(VIEWER)
    assert scene.streams.star_reads == 2


async def test_a_loss(scene: Scene) -> None:
    """After a loss the stars are read again before the streams: an unfollow may have been missed, or a follow."""
    order(scene, following=True)
    scene.registry.gate.set()
    scene.recovery.lost()
    scene.streams.followed[VIEWER] = [OTHER]
    announce(scene, 1)
    running = asyncio.create_task(scene.recovery.run())
    scene.recovery.restored()
    await eventually(lambda: bool(scene.hub.stars.of(GROUP, OTHER)))
    announce(scene, 2)
    announce(scene, 3, star=OTHER)
    await eventually(scene.sent)
    assert await scene.sent() == [3]
    running.cancel()
