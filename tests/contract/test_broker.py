"""What every broker promises (see `workers.broker.port.Broker`), run by the embedded one and by RabbitMQ."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.broker_kits import (
    QUICK,
    BrokerKit,
    Recorder,
    buried,
    consuming,
    emptied,
    ids_of,
    make_message,
)
from tests.support.eventually import eventually
from workers.broker.port import Message
from workers.errors import Discard, Retry

pytestmark = pytest.mark.engines


async def test_a_message_arrives_byte_for_byte(kit: BrokerKit) -> None:
    """A message comes as it was sent: id, topic, key, body and headers, as a first attempt, and is gone then."""
    message = make_message(body=bytes(range(256)), request_id="abc-1", traceparent="00-ü☃-01")
    recorder = Recorder()
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(message)
        await eventually(lambda: recorder.got)
        await emptied(kit)
    assert recorder.got == [message]


async def test_every_queue_that_wants_a_topic_gets_it(kit: BrokerKit) -> None:
    """A follow goes to fanout and to notify, once each, and not to media."""
    recorders = {queue: Recorder() for queue in ("media", "fanout", "notify")}
    message = make_message("user.followed")
    async with AsyncExitStack() as stack:
        for queue, recorder in recorders.items():
            await stack.enter_async_context(consuming(kit.broker, queue, recorder))
        await kit.send(message)
        await eventually(lambda: recorders["fanout"].got and recorders["notify"].got)
        await emptied(kit)
    assert {queue: recorder.ids for queue, recorder in recorders.items()} == {
        "media": [],
        "fanout": [message.event_id],
        "notify": [message.event_id],
    }


async def test_messages_sent_before_a_consumer_came_are_kept(kit: BrokerKit) -> None:
    """What was sent while nobody consumed is delivered to the first consumer."""
    messages = [make_message() for _ in range(20)]
    await kit.send(*messages)
    recorder = Recorder()
    async with consuming(kit.broker, "notify", recorder):
        await eventually(lambda: len(recorder.got) == 20)
    assert ids_of(recorder.got) == ids_of(messages)


@pytest.mark.parametrize(("after", "latest"), [(0.0, 0.9), (0.2, 1.2), (0.75, 2.0)])
async def test_a_retry_waits_as_long_as_it_asks(kit: BrokerKit, after: float, latest: float) -> None:
    """`Retry(after)` comes again no sooner, and not much later, as the second attempt, for any delay."""
    recorder = Recorder(fails=[Retry("not yet", after=after)])
    message = make_message(request_id="r")
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(message)
        await eventually(lambda: len(recorder.got) == 2)
        await emptied(kit)
    assert recorder.got == [message, replace(message, attempt=2)]
    assert after <= recorder.at[1] - recorder.at[0] < latest


async def test_a_discarded_message_is_gone(kit: BrokerKit) -> None:
    """`Discard` leaves neither a retry nor a dead letter."""
    recorder = Recorder(fails=[Discard("nobody will miss it")])
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(make_message())
        await eventually(lambda: recorder.got)
        await emptied(kit)
    assert len(recorder.got) == 1


async def test_a_failure_is_repeated_with_backoff_then_kept_as_a_dead_letter(kit: BrokerKit) -> None:
    """Three failures, with the policy's pauses between, end as a dead letter that says what went wrong last."""
    errors: list[BaseException] = [ValueError("first"), ValueError("second"), KeyError("third \x00 \ud800 ü")]
    recorder = Recorder(fails=list(errors))
    message = make_message(body=b"\x00\xff", request_id="r")
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(message)
        (letter,) = await buried(kit)
    assert [got.attempt for got in recorder.got] == [1, 2, 3]
    assert recorder.at[1] - recorder.at[0] >= QUICK.backoff[0]
    assert recorder.at[2] - recorder.at[1] >= QUICK.backoff[1]
    assert letter.queue == "notify"
    assert letter.message == replace(message, attempt=3)
    assert "KeyError" in letter.error
    assert "third" in letter.error
    assert letter.died_at is not None
    assert abs(datetime.now(UTC) - letter.died_at) < timedelta(seconds=30)


async def test_a_retry_beyond_the_limit_is_a_dead_letter(kit: BrokerKit) -> None:
    """Asking for a retry for ever ends among the dead letters, too."""
    recorder = Recorder(fails=[Retry("later", after=0.0) for _ in range(9)])
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(make_message())
        (letter,) = await buried(kit)
    assert len(recorder.got) == 3
    assert "later" in letter.error


async def test_a_driver_that_says_cancelled_is_a_failure(kit: BrokerKit) -> None:
    """A handler that raises CancelledError though nobody cancelled it is tried again."""
    recorder = Recorder(fails=[asyncio.CancelledError()])
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(make_message())
        await eventually(lambda: len(recorder.got) == 2)


async def test_depths_count_what_waits(kit: BrokerKit) -> None:
    """Depths name every queue and its dead letters, retries that wait for their time included."""
    await kit.send(make_message("user.followed"), make_message("like.added"))

    async def check() -> bool:
        depths = await kit.broker.depths()
        wanted = {"media": 0, "media.dead": 0, "fanout": 1, "fanout.dead": 0, "notify": 2, "notify.dead": 0}
        assert wanted.items() <= depths.items(), depths
        return True

    await eventually(check)
    recorder = Recorder(fails=[Retry("later", after=10.0) for _ in range(2)])
    async with consuming(kit.broker, "notify", recorder):
        await eventually(lambda: len(recorder.got) == 2)
        # Settled before the consumer ends: otherwise what it had tried comes back beside its retry.
        await eventually(check)


async def test_a_cancelled_consumer_leaves_its_message_to_another(kit: BrokerKit) -> None:
    """A consumer that is cancelled in the middle of a handler gives the message back, and no attempt is counted."""
    started = asyncio.Event()

    async def stuck(_: Message) -> None:
        started.set()
        await asyncio.Event().wait()

    message = make_message()
    async with consuming(kit.broker, "notify", stuck):
        await kit.send(message)
        await asyncio.wait_for(started.wait(), 5)
    recorder = Recorder()
    async with consuming(await kit.another(), "notify", recorder):
        await eventually(lambda: recorder.got)
    assert recorder.got == [message]


async def test_a_lost_connection_brings_the_message_again(kit: BrokerKit) -> None:
    """When the connection breaks in the middle of a handler, the message comes again and the consumer goes on."""
    recorder = Recorder()
    broke = asyncio.Event()

    async def handler(message: Message) -> None:
        await recorder(message)
        if not broke.is_set():
            await broke.wait()

    first, second = make_message(), make_message()
    async with consuming(kit.broker, "notify", handler):
        await kit.send(first)
        await eventually(lambda: recorder.got)
        await kit.cut()
        broke.set()
        await eventually(lambda: recorder.ids.count(first.event_id) >= 2, within=15)
        await kit.send(second)
        await eventually(lambda: second.event_id in recorder.ids, within=15)
        await emptied(kit)


async def test_a_slow_message_holds_up_no_other(kit: BrokerKit) -> None:
    """While one handler hangs, the messages behind it start, end and leave the queue."""
    release = asyncio.Event()
    slow, quick = make_message(), [make_message() for _ in range(40)]
    recorder = Recorder()

    async def handler(message: Message) -> None:
        if message.event_id == slow.event_id:
            await release.wait()
        await recorder(message)

    async with consuming(kit.broker, "notify", handler):
        await kit.send(slow)
        await kit.send(*quick)
        await eventually(lambda: len(recorder.got) == 40)

        async def only_one_left() -> bool:
            return (await kit.broker.depths())["notify"] <= 1

        await eventually(only_one_left)
        release.set()
        await emptied(kit)
    assert recorder.ids[-1] == slow.event_id


async def test_no_more_messages_are_at_work_than_the_policy_says(kit: BrokerKit) -> None:
    """With concurrency 4, four handlers run at once, and never a fifth."""
    running: list[str] = []
    most = 0
    release = asyncio.Event()

    async def handler(message: Message) -> None:
        nonlocal most
        running.append(message.event_id)
        most = max(most, len(running))
        await release.wait()
        await asyncio.sleep(0)
        running.remove(message.event_id)

    async with consuming(kit.broker, "notify", handler):
        await kit.send(*(make_message() for _ in range(30)))
        await eventually(lambda: len(running) == 4)
        release.set()
        await emptied(kit)
    assert most == 4


async def test_two_consumers_share_the_work(kit: BrokerKit) -> None:
    """Two processes on one queue take each message once between them."""
    recorders = [Recorder(), Recorder()]

    async def slowly(recorder: Recorder, message: Message) -> None:
        await asyncio.sleep(0.002)
        await recorder(message)

    messages = [make_message() for _ in range(200)]
    other = await kit.another()
    async with (
        consuming(kit.broker, "notify", lambda message: slowly(recorders[0], message)),
        consuming(other, "notify", lambda message: slowly(recorders[1], message)),
    ):
        await kit.send(*messages)
        await eventually(lambda: len(recorders[0].got) + len(recorders[1].got) >= 200, within=15)
        await emptied(kit)
    assert sorted(recorders[0].ids + recorders[1].ids) == sorted(ids_of(messages))
    assert all(recorder.got for recorder in recorders)


async def test_nothing_is_lost_while_connections_break_under_load(kit: BrokerKit) -> None:
    """Of 400 messages, some failing once, every one is handled although connections break five times."""
    messages = [make_message() for _ in range(400)]
    done: set[str] = set()

    async def handler(message: Message) -> None:
        await asyncio.sleep(0.01)
        if message.attempt == 1 and hash(message.event_id) % 5 == 0:
            raise ValueError("once")
        done.add(message.event_id)

    async with consuming(kit.broker, "notify", handler, replace(QUICK, delivery_limit=8)):
        sending = asyncio.create_task(kit.send(*messages[:200]))
        for _ in range(5):
            await asyncio.sleep(0.15)
            await kit.cut()
        await sending
        await kit.send(*messages[200:])
        await eventually(lambda: done == ids_of(messages), within=30)
        await emptied(kit)
