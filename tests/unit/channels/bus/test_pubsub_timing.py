"""The pauses, pings and topics of a process's subscriptions, in virtual time over a scripted server."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as ConnectionLostError
from structlog.testing import capture_logs

from channels.bus.pubsub import PubSub
from channels.bus.redis_client import RedisClient
from channels.contract.errors import LiveUnavailableError
from tests.support.virtual_loop import run_virtually
from tests.unit.channels.bus.test_pubsub import FakeListener, FakeRedis

DEADLINE = 5.0


class TimedRedis(FakeRedis):
    """A server that counts commands and answers PING; `refusals` are raised by the first connects."""

    def __init__(self, *refusals: Exception) -> None:
        super().__init__([])
        self.refusals = [*refusals]
        self.attempts: list[float] = []
        self.commands: Counter[tuple[Any, ...]] = Counter()
        self.refused: Exception | None = None

    async def refresh_slots(self) -> None:
        """Keep the time, and raise the next refusal."""
        self.attempts.append(asyncio.get_running_loop().time())
        if self.refusals:
            raise self.refusals.pop(0)

    def send_command(self, *command: Any) -> None:
        """Count a command, or refuse it."""
        if self.refused is not None:
            raise self.refused
        self.commands[command] += 1
        super().send_command(*command)
        if command == ("PING",):
            self.receive([b"pong", b""])


def run(
    redis: TimedRedis,
    during: Callable[[PubSub], Awaitable[None]],
    *,
    subscribed: bool = True,
    listener: FakeListener | None = None,
) -> list[Any]:
    """Run subscriptions to one channel while `during` runs; return the warnings."""

    async def main() -> None:
        pubsub = PubSub(
            cast(RedisClient, redis),
            [b"a"],
            listener or FakeListener([]),
            has_subscribers=lambda _: subscribed,
            deadline=DEADLINE,
        )
        running = asyncio.create_task(pubsub.run())
        await during(pubsub)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    with capture_logs() as logs:
        run_virtually(main())
    return [(entry["error"], entry["retry_seconds"]) for entry in logs if entry["event"] == "live_pubsub_lost"]


def test_the_pause_doubles_up_to_a_bound_and_starts_again_after_a_connection() -> None:
    """Failing to connect lengthens the pause; a part of it is random. The loss of a connection shortens it again."""
    redis = TimedRedis(*(ConnectionLostError("refused") for _ in range(6)), TimeoutError())

    async def lose(_: PubSub) -> None:
        await asyncio.sleep(12)
        redis.end()
        await asyncio.sleep(1)

    warnings = run(redis, lose)
    assert [pause for _, pause in warnings] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 0.05]
    assert [error for error, _ in warnings] == ["refused"] * 6 + ["TimeoutError", "gone"]
    for (before, after), full in zip(itertools.pairwise(redis.attempts), (0.1, 0.2, 0.4, 0.8, 1.6, 2, 2), strict=False):
        assert full / 2 <= round(after - before, 6) <= full


def test_a_server_that_does_not_confirm_is_given_up() -> None:
    """A connect that is not complete within the deadline is a failure, and the next one succeeds."""
    redis = TimedRedis()
    redis.confirms = False

    async def confirm_later(pubsub: PubSub) -> None:
        await asyncio.sleep(DEADLINE + 0.01)
        redis.confirms = True
        await asyncio.sleep(1)
        assert pubsub.connected

    assert run(redis, confirm_later) == [("TimeoutError", 0.1)]


def test_an_idle_connection_is_pinged_and_its_slots_are_read() -> None:
    """Both happen twice in each deadline, and a failure to read the slots is no loss."""
    redis = TimedRedis()

    async def idle(pubsub: PubSub) -> None:
        await asyncio.sleep(1)
        redis.refusals = [ConnectionLostError("away"), TimeoutError()]
        await asyncio.sleep(20)
        assert pubsub.connected

    assert run(redis, idle) == []
    assert redis.commands["PING",] == 10
    assert len(redis.attempts) == 1 + 10


def test_a_topic_is_subscribed_once_and_given_up_when_it_is_idle() -> None:
    """Callers share a subscription, which is kept while one of them uses it; a repeated confirmation does no harm."""
    redis = TimedRedis()

    async def use(pubsub: PubSub) -> None:
        await asyncio.sleep(0.1)
        async with pubsub.subscription(b"topic"), pubsub.subscription(b"topic"):
            redis.receive([b"subscribe", b"topic", 1])
            await asyncio.sleep(DEADLINE)
            assert redis.commands["UNSUBSCRIBE", b"topic"] == 0
        await asyncio.sleep(DEADLINE)

    assert run(redis, use, subscribed=False) == []
    assert redis.commands["SUBSCRIBE", b"topic"] == 1
    assert redis.commands["UNSUBSCRIBE", b"topic"] == 1


async def subscribe_once(pubsub: PubSub, topic: bytes) -> None:
    """Subscribe to a topic, and give it up again."""
    async with pubsub.subscription(topic):
        pass


def test_a_topic_without_callers_is_kept_until_its_confirmation() -> None:
    """Its late confirmation would otherwise be taken for that of the next subscribe, whose messages are still lost."""
    redis = TimedRedis()

    async def give_up(pubsub: PubSub) -> None:
        await asyncio.sleep(0.1)
        redis.confirms = False
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(subscribe_once(pubsub, b"topic"), 0.1)
        await asyncio.sleep(DEADLINE)
        assert redis.commands["UNSUBSCRIBE", b"topic"] == 0
        redis.receive([b"subscribe", b"topic", 1])
        await asyncio.sleep(DEADLINE)
        assert redis.commands["UNSUBSCRIBE", b"topic"] == 1

    assert run(redis, give_up, subscribed=False) == []


def test_a_subscribe_on_an_ended_connection_is_an_error_of_the_live_layer() -> None:
    """The connection refuses the command before its loss is noticed."""
    redis = TimedRedis()

    async def subscribe(pubsub: PubSub) -> None:
        await asyncio.sleep(0.1)
        redis.refused = ConnectionLostError("ended")
        with pytest.raises(LiveUnavailableError, match="ended"):
            await subscribe_once(pubsub, b"topic")

    assert run(redis, subscribe) == []


def test_a_loss_without_callers_is_not_reported_as_an_unhandled_error() -> None:
    """A topic whose callers have given up ends with the connection, and nothing is left to retrieve its error."""
    redis = TimedRedis()
    unhandled: list[dict[str, Any]] = []

    async def lose(pubsub: PubSub) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        await asyncio.sleep(0.1)
        redis.confirms = False
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(subscribe_once(pubsub, b"topic"), 0.1)
        redis.confirms = True
        redis.end()
        await asyncio.sleep(1)
        gc.collect()

    assert run(redis, lose) == [("gone", 0.05)]
    assert unhandled == []


def test_a_loss_is_handled_after_the_other_tasks_have_ended() -> None:
    """What reads the slots at the moment of a loss has ended before the listener is called and slots are read again."""
    events: list[str] = []

    class SlowToCancel(TimedRedis):
        """A server whose slots are read without end, and the end of the reading takes a second."""

        async def refresh_slots(self) -> None:
            await super().refresh_slots()
            if len(self.attempts) == 2:
                try:
                    await asyncio.sleep(DEADLINE * 2)
                finally:
                    await asyncio.sleep(1)
                    events.append("ended")

    redis = SlowToCancel()

    async def lose(pubsub: PubSub) -> None:
        await asyncio.sleep(DEADLINE / 2)
        redis.end()
        await asyncio.sleep(2)
        assert pubsub.connected

    assert run(redis, lose, listener=FakeListener(events)) == [("gone", 0.05)]
    assert events[:4] == ["restored", "ended", "lost", "restored"]
