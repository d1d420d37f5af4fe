"""Lost registrations: once one is noticed, the streams of everyone who may have missed something are read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from channels.connection.stream_state import StreamState
from channels.contract.ports import Grant, Identity
from channels.contract.settings import LiveSettings
from channels.hub.recovery import StreamRecovery
from channels.protocol import codes
from tests.support.eventually import eventually
from tests.support.recovery_scene import Scene

SLOW = LiveSettings(renewal_interval=0.5)


@asynccontextmanager
async def renewing(recovery: StreamRecovery) -> AsyncIterator[None]:
    """Renew registrations inside the block."""
    task = asyncio.create_task(recovery.renew_registrations())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_device_that_came_after_the_loss(scene: Scene) -> None:
    """Another device of a user who is registered again is read too: its registration may have been lost as well."""
    scene.registry.gate.set()
    scene.recovery.lost()
    scene.recovery.restored()
    _, other = scene.device()
    scene.publish(1, announced=False)

    async def both() -> bool:
        return [await scene.sent(), await scene.sent(other)] == [[1], [1]]

    await eventually(both)


async def test_lost_registration_repaired_by_a_new_device(scene: Scene) -> None:
    """A new device whose user was not registered has the user's other devices read again, before live publications."""
    newcomer, _ = scene.device()
    registering = asyncio.create_task(scene.recovery.register(newcomer, 7))
    await eventually(lambda: scene.registry.asked == 1)
    scene.registry.missing = {7}
    scene.publish(1, announced=False)
    scene.publish(2)
    assert await scene.sent() == []
    scene.registry.gate.set()
    await registering

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)


async def test_a_loss_and_a_new_device_hold_the_streams_once(scene: Scene) -> None:
    """A device that waits for its recovery already is not held longer by a new device that finds the loss, too."""
    scene.registry.gate.set()
    scene.registry.missing = {7}
    scene.recovery.lost()
    newcomer, _ = scene.device()
    await scene.recovery.register(newcomer, 7)
    scene.publish(1, announced=False)
    scene.recovery.restored()

    async def read() -> bool:
        return await scene.sent() == [1]

    await eventually(read)
    scene.publish(2)
    assert await scene.sent() == [1, 2]


async def test_a_session_that_ended_during_a_loss(scene: Scene) -> None:
    """A connection that missed the order to end its session is closed as at a sign-out, and reads nothing."""
    other, _ = scene.device(user_id=8)
    scene.registry.gate.set()
    scene.registry.missing = {7}
    scene.authenticator.revoked_on_confirm = {"s"}
    other.identity = Identity(user_id=8, session="t", expires_at=0)
    scene.hub.subscribe(scene.connection, "photo:1", Grant(topic="photo:1", owner_id=1))
    async with renewing(scene.recovery):
        await eventually(lambda: scene.connection.closed_with == codes.INVALID_TOKEN)
    assert scene.streams.reads == 0
    assert scene.connection.channels  # they end with the connection, without a message of their own
    assert other.closed_with is None


async def test_new_device_of_a_registered_user(scene: Scene) -> None:
    """A new device of a registered user causes no reads, and the others continue at once."""
    scene.registry.gate.set()
    newcomer, _ = scene.device()
    await scene.recovery.register(newcomer, 7)
    scene.publish(1)
    assert await scene.sent() == [1]
    assert scene.streams.reads == 0


async def test_new_devices_at_once(scene: Scene) -> None:
    """Devices that connect together do not count as having lost their registration."""
    scene.hub.leave(scene.connection)
    scene.registry.gate.set()
    newcomers = [scene.device()[0] for _ in range(2)]
    for newcomer in newcomers:
        newcomer.streams = {"feed": StreamState("feed", limit=100)}
    scene.registry.missing = {7}
    await asyncio.gather(*(scene.recovery.register(newcomer, 7) for newcomer in newcomers))
    for _ in range(10):
        await asyncio.sleep(0)
    assert [newcomer.closed_with for newcomer in newcomers] == [None, None]


async def test_renewal_that_failed_half_way(scene: Scene) -> None:
    """After a failed renewal all of its users are read again, since it may have repaired some unseen."""
    scene.registry.failures = 1
    scene.registry.gate.set()
    async with renewing(scene.recovery):
        scene.publish(1, announced=False)

        async def sent() -> bool:
            return await scene.sent() == [1]

        await eventually(sent)


async def test_a_failed_renewal_is_repeated_after_a_pause(scene: Scene) -> None:
    """It does not wait for the next round, and does not occupy the event loop either."""
    scene.registry.gate.set()
    scene.registry.failures = 2
    recovery = scene.recovery_with(LiveSettings(renewal_interval=3600))
    async with renewing(recovery):
        recovery.was_expired()
        await eventually(lambda: scene.registry.asked == 2)
        for _ in range(50):
            await asyncio.sleep(0)
        assert scene.registry.asked == 2
        await eventually(lambda: scene.registry.asked == 3)


async def test_all_are_renewed_in_each_interval(scene: Scene) -> None:
    """Samples are renewed more often than that; once in an interval all users are."""
    scene.registry.gate.set()
    for user_id in range(100, 200):
        scene.hub.join(scene.device()[0], Identity(user_id=user_id, session="s", expires_at=0))
    async with renewing(scene.recovery):
        await eventually(lambda: scene.registry.largest == 101)


async def test_a_missing_registration_ends_topics(scene: Scene) -> None:
    """A user whose registration was missing subscribes to topics again, since a revocation may have been missed."""
    scene.registry.gate.set()
    other, _ = scene.device(user_id=8)
    for connection in (scene.connection, other):
        scene.hub.subscribe(connection, "photo:1", Grant(topic="photo:1", owner_id=1))
    scene.registry.missing = {7}
    async with renewing(scene.recovery):
        await eventually(lambda: not scene.connection.channels)
    await asyncio.sleep(0)
    assert b'"unsubscribe":{"code":2500' in b"".join(scene.transport.writes)
    assert list(other.channels) == ["photo:1"]


async def test_few_missing_are_many(scene: Scene) -> None:
    """If some of the sample between two renewals are missing, all users are renewed at once."""
    scene.registry.gate.set()
    recovery = scene.recovery_with(SLOW)
    for user_id in range(100, 200):
        scene.hub.join(scene.device()[0], Identity(user_id=user_id, session="s", expires_at=0))
    scene.registry.missing = set(scene.hub.user_ids())
    async with renewing(recovery):
        await eventually(lambda: scene.registry.registered == set(scene.hub.user_ids()))
        assert scene.registry.asked == 2


async def test_a_process_that_was_taken_for_dead_renews_at_once(scene: Scene) -> None:
    """Its registrations were removed by another process, so it does not wait for the next round."""
    scene.registry.gate.set()
    recovery = scene.recovery_with(LiveSettings(renewal_interval=3600))
    scene.registry.missing = {7}
    scene.publish(1, announced=False)
    async with renewing(recovery):
        recovery.was_expired()

        async def sent() -> bool:
            return await scene.sent() == [1]

        await eventually(sent)


async def test_a_connecting_user_is_not_missing(scene: Scene) -> None:
    """A user whose only connection is still connecting is left out of the renewal."""
    scene.registry.gate.set()
    newcomer, _ = scene.device(accepted=False)
    scene.hub.join(newcomer, Identity(user_id=100, session="s", expires_at=0))
    scene.registry.missing = {100}
    async with renewing(scene.recovery):
        await eventually(lambda: scene.registry.asked >= 10)
    assert scene.registry.registered == {7}
    assert newcomer.closed_with is None


async def test_uncertain_registrations(scene: Scene) -> None:
    """After a write with an unknown outcome, all registrations are renewed in the next round."""
    scene.registry.gate.set()
    for user_id in range(100, 200):
        scene.hub.join(scene.device()[0], Identity(user_id=user_id, session="s", expires_at=0))
    scene.registry.uncertain = True
    recovery = scene.recovery_with(SLOW)
    async with renewing(recovery):
        await eventually(lambda: scene.registry.registered == set(scene.hub.user_ids()))
        assert scene.registry.asked == 1
        assert not scene.registry.uncertain


async def test_gap_during_renewal(scene: Scene) -> None:
    """During a renewal live publications are held, so that they cannot hide missed ones."""
    async with renewing(scene.recovery):
        await eventually(lambda: scene.registry.asked == 1)
        scene.registry.missing = {7}
        scene.publish(1, announced=False)
        scene.publish(2)
        assert await scene.sent() == []
        scene.registry.gate.set()

        async def both() -> bool:
            return await scene.sent() == [1, 2]

        await eventually(both)
