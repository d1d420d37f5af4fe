"""The guarantees of every broker for dead letters: listed, replayed, deleted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.support.broker_kits import (
    QUICK,
    BrokerKit,
    Recorder,
    consuming,
    ids_of,
    make_message,
    wait_for_dead_letters,
    wait_until_empty,
)
from tests.support.eventually import eventually
from workers.worker import Worker

pytestmark = pytest.mark.engines


async def test_a_replayed_dead_letter_is_a_first_attempt(kit: BrokerKit) -> None:
    """A replay delivers the dead letter again as attempt 1, with the same content, and removes it from the list."""
    recorder = Recorder(fails=[ValueError(str(n)) for n in range(3)])
    message = make_message(request_id="r")
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(message)
        (dead_letter,) = await wait_for_dead_letters(kit)
        assert await kit.broker.replay(dead_letter.id)
        await eventually(lambda: len(recorder.got) == 4)
        await wait_until_empty(kit)
    assert recorder.got[-1] == message
    assert not await kit.broker.replay(dead_letter.id)


async def test_a_deleted_dead_letter_is_gone(kit: BrokerKit) -> None:
    """Deleting one of two dead letters leaves the other; deleting it again returns False."""
    recorder = Recorder(fails=[ValueError("no")] * 6)
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(make_message(), make_message())
        first, second = await wait_for_dead_letters(kit, 2)
        assert await kit.broker.delete(first.id)
        assert not await kit.broker.delete(first.id)
    assert [dead_letter.id for dead_letter in await kit.broker.dead_letters()] == [second.id]


@pytest.mark.parametrize(
    "dead_letter_id", ["", "0", "no", "-1", "9" * 30, "notify:", "unknown:1", "notify:1", "١", "²", str(1 << 63)]
)
async def test_an_unknown_dead_letter_is_not_found(kit: BrokerKit, dead_letter_id: str) -> None:
    """Replay and delete return False for an id that does not exist or is malformed."""
    assert not await kit.broker.replay(dead_letter_id)
    assert not await kit.broker.delete(dead_letter_id)


async def test_dead_letters_are_listed_by_queue_oldest_first(kit: BrokerKit) -> None:
    """The list has all queues or one, oldest first, up to the limit, and reading it removes nothing."""
    quick = replace(QUICK, delivery_limit=1)
    media, notify = Recorder(fails=[ValueError("no")] * 9), Recorder(fails=[ValueError("no")] * 9)
    sent = [make_message("photo.uploaded"), make_message("like.added"), make_message("like.added")]
    async with consuming(kit.broker, "media", media, quick), consuming(kit.broker, "notify", notify, quick):
        for count, message in enumerate(sent, 1):
            await kit.send(message)
            await wait_for_dead_letters(kit, count)
            await asyncio.sleep(1.01 if count == 1 else 0)  # AMQP keeps whole seconds
    for _ in range(3):
        assert (await kit.broker.dead_letters())[0].message.event_id == sent[0].event_id
        assert ids_of(x.message for x in await kit.broker.dead_letters("notify")) == ids_of(sent[1:])
        assert len(await kit.broker.dead_letters(limit=2)) == 2
    assert len(await kit.broker.dead_letters()) == 3


async def test_an_undecodable_body_becomes_a_dead_letter(kit: BrokerKit) -> None:
    """An event that a worker cannot decode is kept for operators, with the reason and the bytes."""
    poison = make_message(body=b"\xc1 not msgpack")
    worker = Worker(kit.broker, "notify", {}, QUICK)
    running = asyncio.create_task(worker.run())
    await kit.send(poison)
    (dead_letter,) = await wait_for_dead_letters(kit)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert dead_letter.message.body == poison.body
    assert "BadEventError" in dead_letter.error
