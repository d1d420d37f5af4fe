"""Recovery of streams, with the order of events set by the test."""

from __future__ import annotations

import asyncio

import pytest

from channels.connection.stream_state import StreamState
from channels.contract.ports import Grant, Position, Recovery
from channels.protocol import codes
from tests.support.eventually import eventually
from tests.support.recovery_scene import SETTINGS, Scene


async def test_missed_then_held(scene: Scene) -> None:
    """Missed publications are sent first, then those held meanwhile, each once."""
    scene.recovery.lost()
    scene.publish(1, announced=False)
    scene.recovery.restored()
    scene.publish(2)
    assert await scene.sent() == []
    scene.registry.gate.set()

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)
    scene.publish(3)
    assert await scene.sent() == [1, 2, 3]


async def test_loss_while_registering(scene: Scene) -> None:
    """A second loss during the registration is waited out, and nothing is skipped."""
    scene.recovery.lost()
    scene.recovery.restored()
    await eventually(lambda: scene.registry.asked == 1)
    scene.recovery.lost()
    scene.registry.gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert scene.streams.reads == 0
    scene.publish(1, announced=False)
    scene.recovery.restored()
    scene.publish(2)

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)


async def test_two_losses_in_one_registration(scene: Scene) -> None:
    """A loss that begins and ends during the registration repeats it before anything is read."""
    scene.recovery.lost()
    scene.recovery.restored()
    await eventually(lambda: scene.registry.asked == 1)
    scene.recovery.lost()
    scene.recovery.restored()
    scene.registry.gate.set()
    scene.registry.gate.clear()  # the next one waits again
    await eventually(lambda: scene.registry.asked == 2)
    assert scene.streams.reads == 0
    scene.publish(1, announced=False)
    scene.registry.gate.set()

    async def sent_once() -> bool:
        return await scene.sent() == [1]

    await eventually(sent_once)


async def test_loss_while_recovering(scene: Scene) -> None:
    """A second loss during the reads keeps the streams held until they are read once more."""
    scene.registry.gate.set()
    gate = scene.streams.gate = asyncio.Event()
    scene.recovery.lost()
    scene.recovery.restored()
    await eventually(lambda: scene.streams.reads == 1)
    scene.recovery.lost()
    gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    scene.publish(1, announced=False)
    scene.recovery.restored()
    scene.publish(2)

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)


async def test_two_reads_at_once(scene: Scene) -> None:
    """A stream that is read twice concurrently, after a loss and by a refresh, sends everything once."""
    scene.registry.gate.set()
    gate = scene.streams.gate = asyncio.Event()
    scene.publish(1, announced=False)
    scene.recovery.lost()
    scene.recovery.restored()
    await eventually(lambda: scene.streams.reads == 1)
    checking = asyncio.create_task(scene.recovery.check(scene.connection))
    await eventually(lambda: scene.streams.reads == 2)
    gate.set()
    await checking
    scene.publish(2)

    async def both() -> bool:
        return await scene.sent() == [1, 2]

    await eventually(both)


async def test_caught_while_connecting(scene: Scene) -> None:
    """A client that is connecting during a loss is closed with 3010, since its result may hide a gap."""
    scene.registry.gate.set()
    scene.connection.streams = {"feed": StreamState("feed", limit=100)}
    scene.recovery.lost()
    scene.recovery.restored()
    await eventually(lambda: scene.connection.closed_with is codes.INSUFFICIENT_STATE)


async def test_caught_before_the_result_was_sent(scene: Scene) -> None:
    """A client whose streams were read but whose connect result was not sent is closed, too, and not read again.

    The position in its result is that of the first read: publications before it would be sent ahead of the result.
    """
    scene.registry.gate.set()
    newcomer, transport = scene.device(accepted=False)
    scene.recovery.lost()
    scene.publish(1, announced=False)
    scene.recovery.restored()
    await eventually(lambda: newcomer.closed_with is codes.INSUFFICIENT_STATE)
    assert await scene.sent(transport) == []


async def test_ended_connections_are_not_read(scene: Scene) -> None:
    """A connection that has ended meanwhile is not read."""
    scene.registry.gate.set()
    scene.hub.subscribe(scene.connection, "photo:1", Grant(topic="photo:1", owner_id=1))
    scene.recovery.lost()
    scene.hub.leave(scene.connection)
    scene.connection.identity, scene.connection.streams = None, {}
    scene.recovery.restored()
    await eventually(lambda: scene.registry.asked == 1)
    for _ in range(10):
        await asyncio.sleep(0)
    assert scene.streams.reads == 0
    assert scene.connection.closed_with is None


async def test_what_a_replaced_stream_has_held_is_not_sent(scene: Scene) -> None:
    """A client that has read its stream again while it was held does not get what was held before that."""
    newcomer, _ = scene.device()
    registering = asyncio.create_task(scene.recovery.register(newcomer, 7))
    await eventually(lambda: scene.registry.asked == 1)
    scene.publish(1)
    read_again = StreamState("feed", limit=100)
    read_again.advance("e1", 1001)
    read_again.release()
    scene.connection.streams = {"feed": read_again}
    scene.registry.gate.set()
    await registering
    scene.publish(2)
    assert await scene.sent() == [2]


async def test_before_the_first_subscription_messages_do_not_arrive(scene: Scene) -> None:
    """A process counts as subscribed only once it is, and not any more after a loss."""
    recovery = scene.recovery_with(SETTINGS)
    states = [recovery.subscribed]
    recovery.restored()
    states.append(recovery.subscribed)
    recovery.lost()
    states.append(recovery.subscribed)
    assert states == [False, True, False]


async def test_a_replaced_stream_is_not_read(scene: Scene) -> None:
    """A client that connects again during the read of one stream reads the others itself."""
    scene.registry.gate.set()
    gate = scene.streams.gate = asyncio.Event()
    second = StreamState("notifications", limit=100)
    second.advance("e1", 1000)
    scene.connection.streams = {**scene.connection.streams, "notifications": second}
    scene.recovery.lost()
    scene.recovery.restored()
    await eventually(lambda: scene.streams.reads == 1)
    scene.connection.streams = {name: StreamState(name, limit=100) for name in scene.connection.streams}
    gate.set()
    await eventually(lambda: scene.metrics.recoveries == [(1, 0)])
    assert scene.streams.reads == 1


async def test_a_check_that_finds_a_gap_is_counted(scene: Scene) -> None:
    """A stream that has begun again is found by the check, and counts as lost."""
    scene.streams.epoch = "e2"
    await scene.recovery.check(scene.connection)
    assert scene.connection.closed_with is codes.INSUFFICIENT_STATE
    assert scene.metrics.recoveries == [(0, 1)]


async def test_a_check_keeps_topics(scene: Scene) -> None:
    """A read after a refresh of the token ends no subscription: no message of a topic was missed."""
    scene.hub.subscribe(scene.connection, "photo:1", Grant(topic="photo:1", owner_id=1))
    await scene.recovery.check(scene.connection)
    assert list(scene.connection.channels) == ["photo:1"]


async def test_recoveries_are_counted(scene: Scene) -> None:
    """The metrics have how many connections were recovered, and how many could not be."""
    scene.registry.gate.set()
    scene.device(accepted=False)  # its connect is in progress, so it is closed
    scene.recovery.lost()
    scene.recovery.restored()
    await eventually(lambda: scene.metrics.recoveries == [(1, 1)])


async def test_what_was_removed_meanwhile_is_not_sent(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that returns a position without its publication covers it: what was held up to there is not sent."""

    async def removed(_user_id: int, _stream: str, since: Position) -> Recovery:
        return Recovery(recovered=True, publications=(), position=Position(epoch=since.epoch, offset=since.offset + 1))

    scene.registry.gate.set()
    monkeypatch.setattr(scene.streams, "recover", removed)
    scene.recovery.lost()
    scene.publish(1)
    scene.recovery.restored()
    await eventually(lambda: scene.metrics.recoveries == [(1, 0)])
    scene.publish(2)
    assert await scene.sent() == [2]
