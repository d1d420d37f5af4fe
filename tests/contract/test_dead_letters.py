"""What every broker promises of messages that nobody could handle: listed, replayed, deleted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.support.broker_kits import QUICK, BrokerKit, Recorder, buried, consuming, emptied, ids_of, make_message
from tests.support.eventually import eventually
from workers.worker import Worker

pytestmark = pytest.mark.engines


async def test_a_replayed_letter_is_a_first_attempt(kit: BrokerKit) -> None:
    """A replay delivers the letter once more, from attempt 1, with the same content, and takes it off the list."""
    recorder = Recorder(fails=[ValueError(str(n)) for n in range(3)])
    message = make_message(request_id="r")
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(message)
        (letter,) = await buried(kit)
        assert await kit.broker.replay(letter.id)
        await eventually(lambda: len(recorder.got) == 4)
        await emptied(kit)
    assert recorder.got[-1] == message
    assert not await kit.broker.replay(letter.id)


async def test_a_deleted_letter_is_gone(kit: BrokerKit) -> None:
    """Deleting one of two letters leaves the other, and deleting it again finds nothing."""
    recorder = Recorder(fails=[ValueError("no")] * 6)
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(make_message(), make_message())
        first, second = await buried(kit, 2)
        assert await kit.broker.delete(first.id)
        assert not await kit.broker.delete(first.id)
    assert [letter.id for letter in await kit.broker.dead_letters()] == [second.id]


@pytest.mark.parametrize("letter_id", ["", "0", "no", "-1", "9" * 30, "notify:", "nobody:1", "notify:1", "١"])
async def test_an_unknown_letter_is_not_found(kit: BrokerKit, letter_id: str) -> None:
    """Neither replay nor delete mind an id that means nothing."""
    assert not await kit.broker.replay(letter_id)
    assert not await kit.broker.delete(letter_id)


async def test_letters_are_listed_by_queue_oldest_first(kit: BrokerKit) -> None:
    """The list holds all queues or one, oldest first, no more than asked, and reading it loses nothing."""
    quick = replace(QUICK, delivery_limit=1)
    media, notify = Recorder(fails=[ValueError("no")] * 9), Recorder(fails=[ValueError("no")] * 9)
    sent = [make_message("photo.uploaded"), make_message("like.added"), make_message("like.added")]
    async with consuming(kit.broker, "media", media, quick), consuming(kit.broker, "notify", notify, quick):
        for count, message in enumerate(sent, 1):
            await kit.send(message)
            await buried(kit, count)
            await asyncio.sleep(1.01 if count == 1 else 0)  # AMQP keeps whole seconds
    for _ in range(3):
        assert (await kit.broker.dead_letters())[0].message.event_id == sent[0].event_id
        assert ids_of(x.message for x in await kit.broker.dead_letters("notify")) == ids_of(sent[1:])
        assert len(await kit.broker.dead_letters(limit=2)) == 2
    assert len(await kit.broker.dead_letters()) == 3


async def test_a_body_that_cannot_be_read_becomes_a_dead_letter(kit: BrokerKit) -> None:
    """A worker that cannot decode an event keeps it for a human, with the reason and the bytes."""
    poison = make_message(body=b"\xc1 not msgpack")
    worker = Worker(kit.broker, "notify", {}, QUICK)
    running = asyncio.create_task(worker.run())
    await kit.send(poison)
    (letter,) = await buried(kit)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert letter.message.body == poison.body
    assert "BadEventError" in letter.error
