"""One pub/sub connection against a scripted server."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as ConnectionLostError
from redis.exceptions import ResponseError

from channels.bus.pubsub_connection import PLAIN, SHARDED, PubSubCommands, PubSubConnection
from channels.bus.redis_client import MessageListener, RedisClient
from tests.support.eventually import eventually
from tests.support.virtual_loop import turns

KINDS = pytest.mark.parametrize("commands", [PLAIN, SHARDED], ids=["plain", "sharded"])


class FakeRedis:
    """A Redis client with one server; records commands, and delivers what the test scripts."""

    def __init__(self, commands: PubSubCommands) -> None:
        self.sharded = commands is SHARDED
        self.sent: list[tuple[Any, ...]] = []
        self.closed = False
        self._listener: MessageListener | None = None

    async def subscriber(self, server: Any, listener: MessageListener) -> FakeRedis:
        """Open a connection."""
        assert server == "the server"
        self._listener = listener
        return self

    def send_command(self, *command: Any) -> None:
        """Record a command."""
        if self.closed:
            raise ConnectionLostError("closed")
        self.sent.append(command)

    async def close(self) -> None:
        """Close the connection."""
        self.closed = True

    def receive(self, *messages: Any) -> None:
        """Deliver messages that arrive together."""
        assert self._listener is not None
        for number, message in enumerate(messages, 1):
            self._listener.message_received(message, more=number < len(messages))

    def end(self, error: Exception) -> None:
        """End the connection."""
        assert self._listener is not None
        self._listener.connection_lost(error)


class Scene:
    """A connection, its fake Redis client, and the messages received."""

    def __init__(self, commands: PubSubCommands, *, deadline: float = 5) -> None:
        self.commands = commands
        self.redis = FakeRedis(commands)
        self.received: list[tuple[bytes, bytes, bool]] = []
        self.confirmed: list[bytes] = []
        self.connection = PubSubConnection(self.message, self.confirmed.append, deadline=deadline)

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Record a message."""
        self.received.append((channel, data, more))

    async def open(self, *channels: bytes) -> None:
        """Open the connection."""
        await self.connection.open(cast(RedisClient, self.redis), "the server", channels)

    async def opened(self, *channels: bytes) -> None:
        """Open the connection and confirm all channels."""
        opening = asyncio.create_task(self.open(*channels))
        await eventually(lambda: len(self.redis.sent) == len(channels))
        self.confirm(*channels)
        await opening

    def confirm(self, *channels: bytes) -> None:
        """Confirm subscriptions."""
        self.redis.receive(*([self.commands.subscribed, channel, 1] for channel in channels))


@KINDS
async def test_open_returns_when_all_channels_are_confirmed(commands: PubSubCommands) -> None:
    """`open` returns with the last confirmation; a message that arrives before it is delivered."""
    scene = Scene(commands)
    opening = asyncio.create_task(scene.open(b"a", b"b"))
    await eventually(lambda: scene.redis.sent == [(commands.subscribe, b"a"), (commands.subscribe, b"b")])
    scene.confirm(b"a")
    scene.redis.receive([commands.message, b"a", b"early"])
    assert scene.received == [(b"a", b"early", False)]
    await turns(5)
    assert not opening.done()
    scene.confirm(b"b")
    await opening
    assert scene.confirmed == [b"a", b"b"]


@KINDS
async def test_a_refused_channel_is_a_loss(commands: PubSubCommands) -> None:
    """An error instead of a confirmation is raised by `open`."""
    scene = Scene(commands)
    opening = asyncio.create_task(scene.open(b"a"))
    await eventually(lambda: scene.redis.sent)
    scene.redis.receive(ResponseError("NOPERM no such channel for you"))
    with pytest.raises(ResponseError, match="NOPERM"):
        await opening


@KINDS
async def test_more_announces_the_next_message(commands: PubSubCommands) -> None:
    """Each of several messages that arrive together is delivered with whether another one follows."""
    scene = Scene(commands)
    await scene.opened(b"a")
    scene.redis.receive(*([commands.message, b"a", b"%d" % number] for number in range(3)))
    assert scene.received == [(b"a", b"0", True), (b"a", b"1", True), (b"a", b"2", False)]


@KINDS
async def test_an_unsubscription_by_the_server_is_a_loss(commands: PubSubCommands) -> None:
    """An unsubscription by the server is a loss; one that was requested is not, however often."""
    scene = Scene(commands)
    await scene.opened(b"a")
    listening = asyncio.create_task(scene.connection.listen())
    for _ in range(2):
        scene.connection.subscribe(b"b")
        scene.connection.unsubscribe(b"b")
        scene.redis.receive([commands.subscribed, b"b", 2], [commands.unsubscribed, b"b", 1])
    for _ in range(2):
        scene.connection.subscribe(b"b")
        scene.connection.unsubscribe(b"b")
    for _ in range(2):
        scene.redis.receive([commands.subscribed, b"b", 2], [commands.unsubscribed, b"b", 1])
    scene.redis.receive([commands.message, b"a", b"still here"])
    await turns(5)
    assert not listening.done()
    scene.redis.receive([commands.unsubscribed, b"b", 0])
    with pytest.raises(ConnectionLostError, match="b has moved"):
        await listening


@KINDS
async def test_an_ended_connection_is_a_loss(commands: PubSubCommands) -> None:
    """`listen` and `open` raise the reason for which the connection ended."""
    scene = Scene(commands)
    await scene.opened(b"a")
    scene.redis.end(ConnectionLostError("gone"))
    with pytest.raises(ConnectionLostError, match="gone"):
        await scene.connection.listen()
    scene = Scene(commands)
    opening = asyncio.create_task(scene.open(b"a"))
    await eventually(lambda: scene.redis.sent)
    scene.redis.end(ConnectionLostError("gone at once"))
    with pytest.raises(ConnectionLostError, match="at once"):
        await opening


async def test_the_first_reason_for_the_end_counts() -> None:
    """A server that refuses a command and then closes the connection is lost for the refusal."""
    scene = Scene(PLAIN)
    await scene.opened(b"a")
    scene.redis.receive(ResponseError("NOPERM no such channel for you"))
    scene.redis.end(ConnectionLostError("gone"))
    with pytest.raises(ResponseError, match="NOPERM"):
        await scene.connection.listen()


@KINDS
async def test_messages_of_other_kinds_are_ignored(commands: PubSubCommands) -> None:
    """A kind of message that a later server may send is neither a loss nor a message."""
    scene = Scene(commands)
    await scene.opened(b"a")
    listening = asyncio.create_task(scene.connection.listen())
    scene.redis.receive([b"other", b"a", b"data"], [commands.message, b"a", b"still here"])
    await turns(5)
    assert not listening.done()
    assert scene.received == [(b"a", b"still here", False)]
    listening.cancel()


async def test_silence_is_a_loss() -> None:
    """A server that is silent for the deadline counts as lost; any reply extends it."""
    scene = Scene(PLAIN, deadline=0.2)
    await scene.opened(b"a")
    loop = asyncio.get_running_loop()
    begin = loop.time()
    listening = asyncio.create_task(scene.connection.listen())
    loop.call_later(0.15, scene.redis.receive, [b"pong", b""])
    with pytest.raises(TimeoutError, match="silent"):
        await listening
    assert loop.time() - begin >= 0.35


async def test_silence_from_the_beginning_is_a_loss() -> None:
    """The deadline begins with the connection, before anything has arrived."""
    scene = Scene(PLAIN, deadline=0.01)
    await scene.open()
    with pytest.raises(TimeoutError, match="silent"):
        await scene.connection.listen()


async def test_commands_need_a_connection() -> None:
    """Commands before `open` and after `close` raise an error; to close what was never opened is none."""
    scene = Scene(PLAIN)
    await scene.connection.close()
    with pytest.raises(ConnectionLostError):
        scene.connection.ping()
    await scene.open()
    scene.connection.ping()
    await scene.connection.close()
    for attempt in (
        scene.connection.ping,
        lambda: scene.connection.subscribe(b"a"),
        lambda: scene.connection.unsubscribe(b"a"),
    ):
        with pytest.raises(ConnectionLostError):
            attempt()
    assert scene.redis.sent == [("PING",)]
