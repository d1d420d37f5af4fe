"""The subscriptions of a process over a scripted server: what follows a loss."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as ConnectionLostError

from channels.bus.pubsub import PubSub
from channels.bus.redis_client import MessageListener, RedisClient
from channels.contract.errors import LiveUnavailableError
from tests.support.eventually import eventually


class FakeRedis:
    """A Redis client with one server that confirms each subscription; records events in their order."""

    sharded = False

    def __init__(self, events: list[str]) -> None:
        self._events = events
        self._listener: MessageListener | None = None
        self.confirms = True

    async def refresh_slots(self) -> None:
        """Do nothing: there is one server."""

    def server_of(self, _name: bytes) -> str:
        """Return the one server."""
        return "the server"

    def reconnect(self) -> None:
        """Record that commands use new connections."""
        self._events.append("reconnect")

    async def subscriber(self, _server: Any, listener: MessageListener) -> FakeRedis:
        """Open a connection."""
        self._listener = listener
        return self

    def send_command(self, *command: Any) -> None:
        """Confirm a subscription in the next turn of the event loop."""
        if command[0] == "SUBSCRIBE" and self.confirms and self._listener is not None:
            reply = [b"subscribe", command[1], 1]
            asyncio.get_running_loop().call_soon(lambda: self.receive(reply))

    def receive(self, message: Any) -> None:
        """Deliver a message."""
        assert self._listener is not None
        self._listener.message_received(message, more=False)

    async def close(self) -> None:
        """Do nothing."""

    def end(self) -> None:
        """End the connection."""
        assert self._listener is not None
        self._listener.connection_lost(ConnectionLostError("gone"))


class FakeListener:
    """Records losses and their end."""

    def __init__(self, events: list[str]) -> None:
        self._events = events

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Do nothing."""

    def lost(self) -> None:
        """Record the loss."""
        self._events.append("lost")

    def restored(self) -> None:
        """Record its end."""
        self._events.append("restored")


async def test_commands_use_new_connections_after_a_loss() -> None:
    """After a loss the connections for commands are renewed, before streams are read over them again."""
    events: list[str] = []
    redis = FakeRedis(events)
    pubsub = PubSub(
        cast(RedisClient, redis), [b"a", b"b"], FakeListener(events), has_subscribers=lambda _: True, deadline=5
    )
    running = asyncio.create_task(pubsub.run())
    try:
        await eventually(lambda: events == ["restored"])
        redis.end()
        await eventually(lambda: events == ["restored", "lost", "reconnect", "restored"])
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert events[-1] == "lost"
    assert not pubsub.connected


async def test_topics_end_with_the_connection() -> None:
    """A topic whose confirmation is lost with the connection fails at once, and can be subscribed again."""
    redis = FakeRedis([])
    pubsub = PubSub(cast(RedisClient, redis), [b"a"], FakeListener([]), has_subscribers=lambda _: True, deadline=5)
    running = asyncio.create_task(pubsub.run())
    try:
        await eventually(lambda: pubsub.connected)
        redis.confirms = False

        async def subscribe() -> None:
            async with pubsub.subscription(b"topic"):
                pass

        waiting = asyncio.create_task(subscribe())
        for _ in range(5):
            await asyncio.sleep(0)
        redis.confirms = True
        redis.end()
        with pytest.raises(LiveUnavailableError):
            await waiting
        await eventually(lambda: pubsub.connected)
        await subscribe()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
