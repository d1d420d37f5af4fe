"""One pub/sub connection, with what the server says in the test's hands."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as ConnectionLostError
from redis.exceptions import ResponseError

from channels.bus.pubsub_connection import PLAIN, SHARDED, PubSubCommands, PubSubConnection
from channels.bus.redis_client import MessageListener, RedisClient
from tests.support.eventually import eventually

WORDS = pytest.mark.parametrize("words", [PLAIN, SHARDED], ids=["plain", "sharded"])


class FakeEngine:
    """An engine with one server; keeps what it is told, and says what the test has it say."""

    def __init__(self, words: PubSubCommands) -> None:
        self.sharded = words is SHARDED
        self.told: list[tuple[Any, ...]] = []
        self.closed = False
        self._listener: MessageListener | None = None

    async def subscriber(self, server: Any, listener: MessageListener) -> FakeEngine:
        """Connect."""
        assert server == "the server"
        self._listener = listener
        return self

    def send_command(self, *command: Any) -> None:
        """Keep a command."""
        if self.closed:
            raise ConnectionLostError("closed")
        self.told.append(command)

    async def close(self) -> None:
        """Close the connection."""
        self.closed = True

    def answer(self, *messages: Any) -> None:
        """Let these arrive together."""
        assert self._listener is not None
        for number, message in enumerate(messages, 1):
            self._listener.message_received(message, more=number < len(messages))

    def end(self, error: Exception) -> None:
        """Let the connection end."""
        assert self._listener is not None
        self._listener.connection_lost(error)


class Scene:
    """A line, its engine, and what is heard of it."""

    def __init__(self, words: PubSubCommands, *, deadline: float = 5) -> None:
        self.words = words
        self.engine = FakeEngine(words)
        self.heard: list[tuple[bytes, bytes, bool]] = []
        self.confirmed: list[bytes] = []
        self.line = PubSubConnection(self.message, self.confirmed.append, deadline=deadline)

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Keep a message."""
        self.heard.append((channel, data, more))

    async def open(self, *channels: bytes) -> None:
        """Open the line."""
        await self.line.open(cast(RedisClient, self.engine), "the server", channels)

    async def opened(self, *channels: bytes) -> None:
        """Open the line and confirm all."""
        opening = asyncio.create_task(self.open(*channels))
        await eventually(lambda: len(self.engine.told) == len(channels))
        self.confirm(*channels)
        await opening

    def confirm(self, *channels: bytes) -> None:
        """Confirm subscriptions."""
        self.engine.answer(*([self.words.subscribed, channel, 1] for channel in channels))


@WORDS
async def test_it_is_open_when_all_is_confirmed(words: PubSubCommands) -> None:
    """Opening ends with the last channel's confirmation; a message that comes before it is handed on."""
    scene = Scene(words)
    opening = asyncio.create_task(scene.open(b"a", b"b"))
    await eventually(lambda: scene.engine.told == [(words.subscribe, b"a"), (words.subscribe, b"b")])
    scene.confirm(b"a")
    scene.engine.answer([words.message, b"a", b"early"])
    assert scene.heard == [(b"a", b"early", False)]
    await asyncio.sleep(0)
    assert not opening.done()
    scene.confirm(b"b")
    await opening
    assert scene.confirmed == [b"a", b"b"]


@WORDS
async def test_a_refused_channel_is_a_loss(words: PubSubCommands) -> None:
    """An error in place of a confirmation ends the opening with that error."""
    scene = Scene(words)
    opening = asyncio.create_task(scene.open(b"a"))
    await eventually(lambda: scene.engine.told)
    scene.engine.answer(ResponseError("NOPERM no such channel for you"))
    with pytest.raises(ResponseError, match="NOPERM"):
        await opening


@WORDS
async def test_what_follows_is_told(words: PubSubCommands) -> None:
    """Each of several messages that came together is heard with whether another one follows."""
    scene = Scene(words)
    await scene.opened(b"a")
    scene.engine.answer(*([words.message, b"a", b"%d" % number] for number in range(3)))
    assert scene.heard == [(b"a", b"0", True), (b"a", b"1", True), (b"a", b"2", False)]


@WORDS
async def test_a_channel_that_is_taken_away_is_a_loss(words: PubSubCommands) -> None:
    """A channel that the server gives up by itself is a loss; one that it was asked to give up is not, each time."""
    scene = Scene(words)
    await scene.opened(b"a")
    listening = asyncio.create_task(scene.line.listen())
    for _ in range(2):
        scene.line.subscribe(b"b")
        scene.line.unsubscribe(b"b")
        scene.engine.answer([words.subscribed, b"b", 2], [words.unsubscribed, b"b", 1])
    scene.engine.answer([words.message, b"a", b"still here"])
    await asyncio.sleep(0)
    assert not listening.done()
    scene.engine.answer([words.unsubscribed, b"b", 0])
    with pytest.raises(ConnectionLostError, match="b has moved"):
        await listening


@WORDS
async def test_an_ended_connection_is_a_loss(words: PubSubCommands) -> None:
    """Whoever listens is told how the connection ended, also before everything was confirmed."""
    scene = Scene(words)
    await scene.opened(b"a")
    scene.engine.end(ConnectionLostError("gone"))
    with pytest.raises(ConnectionLostError, match="gone"):
        await scene.line.listen()
    scene = Scene(words)
    opening = asyncio.create_task(scene.open(b"a"))
    await eventually(lambda: scene.engine.told)
    scene.engine.end(ConnectionLostError("gone at once"))
    with pytest.raises(ConnectionLostError, match="at once"):
        await opening


async def test_silence_is_a_loss() -> None:
    """A server that says nothing for the deadline is given up; whatever it says puts that off."""
    scene = Scene(PLAIN, deadline=0.2)
    await scene.opened(b"a")
    loop = asyncio.get_running_loop()
    begin = loop.time()
    listening = asyncio.create_task(scene.line.listen())
    loop.call_later(0.15, scene.engine.answer, [b"pong", b""])
    with pytest.raises(TimeoutError, match="silent"):
        await listening
    assert loop.time() - begin >= 0.35


async def test_nothing_is_said_without_a_connection() -> None:
    """Before it is opened and after it was closed nothing is sent."""
    scene = Scene(PLAIN)
    with pytest.raises(ConnectionLostError):
        scene.line.ping()
    await scene.open()
    scene.line.ping()
    await scene.line.close()
    for attempt in (scene.line.ping, lambda: scene.line.subscribe(b"a"), lambda: scene.line.unsubscribe(b"a")):
        with pytest.raises(ConnectionLostError):
            attempt()
    assert scene.engine.told == [("PING",)]
