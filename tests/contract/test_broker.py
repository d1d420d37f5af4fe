"""The guarantees of `workers.broker.port.Broker`, for the embedded broker and RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

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
from tests.support.eventually import DEADLINE, eventually
from workers.broker.port import Message
from workers.broker.routing import QUEUES
from workers.errors import Discard, Retry

pytestmark = pytest.mark.engines


async def test_a_message_arrives_byte_for_byte(kit: BrokerKit) -> None:
    """A message arrives as sent, with id, topic, key, body and headers, as a first attempt, and is then removed."""
    message = make_message(body=bytes(range(256)), request_id="abc-1", traceparent="00-ü☃-01")
    recorder = Recorder()
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(message)
        await eventually(lambda: recorder.got)
        await wait_until_empty(kit)
    assert recorder.got == [message]


async def test_every_bound_queue_gets_a_message(kit: BrokerKit) -> None:
    """That a photo is marked is delivered to fanout and to notify, once each, and not to media."""
    recorders = {queue: Recorder() for queue in ("media", "fanout", "notify")}
    message = make_message("photo.marked")
    async with AsyncExitStack() as stack:
        for queue, recorder in recorders.items():
            await stack.enter_async_context(consuming(kit.broker, queue, recorder))
        await kit.send(message)
        await eventually(lambda: recorders["fanout"].got and recorders["notify"].got)
        await wait_until_empty(kit)
    assert {queue: recorder.ids for queue, recorder in recorders.items()} == {
        "media": [],
        "fanout": [message.event_id],
        "notify": [message.event_id],
    }


async def test_messages_wait_for_a_consumer(kit: BrokerKit) -> None:
    """Messages sent while there is no consumer are delivered to the first one."""
    messages = [make_message() for _ in range(20)]
    await kit.send(*messages)
    recorder = Recorder()
    async with consuming(kit.broker, "notify", recorder):
        await eventually(lambda: len(recorder.got) == 20)
    assert ids_of(recorder.got) == ids_of(messages)


def has(recorder: Recorder, count: int) -> bool:
    """Return whether so many messages were delivered."""
    return len(recorder.got) == count


@pytest.mark.parametrize(("after", "latest"), [(0.0, 0.9), (0.2, 1.2), (0.75, 2.0)])
async def test_a_retry_waits_for_its_delay(kit: BrokerKit, after: float, latest: float) -> None:
    """`Retry(after)` is redelivered no sooner, and not much later, as the second attempt, for any delay."""
    # A busy machine delays some messages; a broker that chose too long a delay would do so each time.
    delays: list[float] = []
    while not delays or (min(delays) >= latest and len(delays) < 10):
        recorder = Recorder(fails=[Retry("not yet", after=after)])
        message = make_message(request_id="r")
        async with consuming(kit.broker, "notify", recorder):
            await kit.send(message)
            await eventually(partial(has, recorder, 2))
            await wait_until_empty(kit)
        assert recorder.got == [message, replace(message, attempt=2)]
        delays.append(recorder.at[1] - recorder.at[0])
        assert after <= delays[-1]
    assert min(delays) < latest


async def test_a_discarded_message_is_removed(kit: BrokerKit) -> None:
    """`Discard` leaves neither a retry nor a dead letter."""
    recorder = Recorder(fails=[Discard("obsolete")])
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(make_message())
        await eventually(lambda: recorder.got)
        await wait_until_empty(kit)
    assert len(recorder.got) == 1


async def test_a_failure_is_retried_with_backoff_and_then_dead_lettered(kit: BrokerKit) -> None:
    """Three failures, with the policy's delays in between, end as a dead letter with the last error."""
    errors: list[BaseException] = [ValueError("first"), ValueError("second"), KeyError("third \x00 \ud800 ü")]
    recorder = Recorder(fails=list(errors))
    message = make_message(body=b"\x00\xff", request_id="r")
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(message)
        (dead_letter,) = await wait_for_dead_letters(kit)
    assert [got.attempt for got in recorder.got] == [1, 2, 3]
    assert recorder.at[1] - recorder.at[0] >= QUICK.backoff[0]
    assert recorder.at[2] - recorder.at[1] >= QUICK.backoff[1]
    assert dead_letter.queue == "notify"
    assert dead_letter.message == replace(message, attempt=3)
    assert "KeyError" in dead_letter.error
    assert "third" in dead_letter.error
    assert dead_letter.died_at is not None
    assert abs(datetime.now(UTC) - dead_letter.died_at) < timedelta(seconds=30)


async def test_a_retry_beyond_the_limit_is_a_dead_letter(kit: BrokerKit) -> None:
    """A handler that always raises `Retry` reaches the limit like any other."""
    recorder = Recorder(fails=[Retry("later", after=0.0) for _ in range(9)])
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(make_message())
        (dead_letter,) = await wait_for_dead_letters(kit)
    assert len(recorder.got) == 3
    assert "later" in dead_letter.error


async def test_a_stray_cancellation_is_a_failure(kit: BrokerKit) -> None:
    """A message whose handler raises CancelledError without being cancelled is redelivered."""
    recorder = Recorder(fails=[asyncio.CancelledError()])
    async with consuming(kit.broker, "notify", recorder):
        await kit.send(make_message())
        await eventually(lambda: len(recorder.got) == 2)


async def test_depths_count_waiting_messages(kit: BrokerKit) -> None:
    """Depths have every queue and its dead letters; delayed retries are counted."""
    await kit.send(make_message("user.followed"), make_message("like.added"))

    async def check() -> bool:
        depths = await kit.broker.depths()
        expected = {"media": 0, "media.dead": 0, "fanout": 1, "fanout.dead": 0, "notify": 2, "notify.dead": 0}
        assert expected.items() <= depths.items(), depths
        return True

    await eventually(check)
    recorder = Recorder(fails=[Retry("later", after=10.0) for _ in range(2)])
    async with consuming(kit.broker, "notify", recorder):
        await eventually(lambda: len(recorder.got) == 2)
        # Wait for the acknowledgements: otherwise the messages are redelivered in addition to their retries.
        await eventually(check)


async def test_queues_without_consumers_are_reported(kit: BrokerKit) -> None:
    """A queue counts as consumed while any process consumes it; a broker that does not know reports none."""
    another = await kit.another()

    def reported(*consumed: str) -> Callable[[], Awaitable[bool]]:
        expected = set(QUEUES) - {*consumed} if kit.knows_consumers else set()

        async def check() -> bool:
            return set(await kit.broker.queues_without_consumers()) == expected

        return check

    await eventually(reported())
    async with consuming(another, "notify", Recorder()), consuming(another, "bulk", Recorder()):
        await eventually(reported("notify", "bulk"))
    await eventually(reported())


async def test_a_cancelled_consumer_leaves_its_message_to_another(kit: BrokerKit) -> None:
    """The message of a cancelled consumer is delivered to another, and no attempt is counted."""
    started = asyncio.Event()

    async def stuck(_: Message) -> None:
        started.set()
        await asyncio.Event().wait()

    message = make_message()
    async with consuming(kit.broker, "notify", stuck):
        await kit.send(message)
        await asyncio.wait_for(started.wait(), DEADLINE)
    recorder = Recorder()
    async with consuming(await kit.another(), "notify", recorder):
        await eventually(lambda: recorder.got)
    assert recorder.got == [message]


async def test_a_message_is_redelivered_after_a_lost_connection(kit: BrokerKit) -> None:
    """When the connection breaks during a handler, the message is redelivered and the consumer goes on."""
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
        await eventually(lambda: recorder.ids.count(first.event_id) >= 2)
        await kit.send(second)
        await eventually(lambda: second.event_id in recorder.ids)
        await wait_until_empty(kit)


async def test_a_slow_message_does_not_block_others(kit: BrokerKit) -> None:
    """While one handler hangs, the messages behind it are handled and removed."""
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
        await wait_until_empty(kit)
    assert recorder.ids[-1] == slow.event_id


async def test_the_policy_bounds_the_messages_at_once(kit: BrokerKit) -> None:
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
        await wait_until_empty(kit)
    assert most == 4


async def test_two_consumers_share_a_queue(kit: BrokerKit) -> None:
    """Of two processes on one queue, each message is delivered to exactly one."""
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
        await eventually(lambda: len(recorders[0].got) + len(recorders[1].got) >= 200)
        await wait_until_empty(kit)
    assert sorted(recorders[0].ids + recorders[1].ids) == sorted(ids_of(messages))
    assert all(recorder.got for recorder in recorders)


async def test_nothing_is_lost_while_connections_break_under_load(kit: BrokerKit) -> None:
    """All of 400 messages are handled, although some fail once and connections break five times."""
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
        await eventually(lambda: done == ids_of(messages))
        await wait_until_empty(kit)
