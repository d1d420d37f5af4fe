"""One pub/sub connection, with the driver's connection in the test's hands."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest
from redis.exceptions import ConnectionError as ConnectionLostError

from channels.bus.line import PLAIN, SHARDED, Line, Words
from tests.support.eventually import eventually

WORDS = pytest.mark.parametrize("words", [PLAIN, SHARDED], ids=["plain", "sharded"])


class FakeConnection:
    """A connection that says what the test lets it say, and keeps what it is told."""

    def __init__(self) -> None:
        self.is_connected = False
        self.sent: list[tuple[Any, ...]] = []
        self._said: deque[Any] = deque()
        self._more = asyncio.Event()

    def say(self, *responses: list[Any]) -> None:
        """Let these arrive."""
        self._said.extend(responses)
        self._more.set()

    async def connect(self) -> None:
        """Stand from now on."""
        self.is_connected = True

    async def disconnect(self, *, nowait: bool) -> None:
        """Stand no longer."""
        self.is_connected = False

    async def send_command(self, *command: Any, check_health: bool) -> None:
        """Keep a command."""
        self.sent.append(command)

    async def read_response(self, **_: Any) -> Any:
        """Return what the test lets arrive, one after the other."""
        while not self._said:
            self._more.clear()
            await self._more.wait()
        return self._said.popleft()


class Ear:
    """A line, and what it hears."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.connection = FakeConnection()
        self.heard: list[tuple[bytes, bytes]] = []
        self.subscribed: list[bytes] = []
        self.line = Line(
            self.connection,
            words,
            heard=lambda channel, data: self.heard.append((channel, data)),
            subscribed=self.subscribed.append,
            deadline=5,
        )

    def confirm(self, *channels: bytes) -> None:
        """Confirm subscriptions."""
        self.connection.say(*([self.words.subscribed, channel, 1] for channel in channels))


@WORDS
async def test_it_is_open_when_all_is_confirmed(words: Words) -> None:
    """Opening ends with the last channel's confirmation; a message that comes before it is handed on."""
    ear = Ear(words)
    opening = asyncio.create_task(ear.line.open([b"a", b"b"]))
    ear.confirm(b"a")
    ear.connection.say([words.message, b"a", b"early"])
    await eventually(lambda: ear.heard == [(b"a", b"early")])
    assert not opening.done()
    ear.confirm(b"b")
    await opening
    assert ear.connection.sent == [(words.subscribe, b"a"), (words.subscribe, b"b")]
    assert ear.subscribed == [b"a", b"b"]


@WORDS
async def test_a_channel_that_is_taken_away_is_a_loss(words: Words) -> None:
    """A channel that the server gives up by itself is a loss; one that it was asked to give up is not, each time."""
    ear = Ear(words)
    ear.confirm(b"a")
    await ear.line.open([b"a"])
    for _ in range(2):
        await ear.line.subscribe(b"b")
        await ear.line.unsubscribe(b"b")
        ear.connection.say([words.subscribed, b"b", 2], [words.unsubscribed, b"b", 1])
    listening = asyncio.create_task(ear.line.listen())
    ear.connection.say([words.message, b"a", b"still here"])
    await eventually(lambda: ear.heard)
    ear.connection.say([words.unsubscribed, b"b", 0])
    with pytest.raises(ConnectionLostError, match="b has moved"):
        await listening


@WORDS
async def test_nothing_is_sent_on_a_lost_connection(words: Words) -> None:
    """On a connection that is gone nothing is sent, since the driver would connect again in silence."""
    ear = Ear(words)
    await ear.line.open([])
    await ear.line.ping()
    await ear.line.close()
    for attempt in (ear.line.ping(), ear.line.subscribe(b"a"), ear.line.unsubscribe(b"a")):
        with pytest.raises(ConnectionLostError):
            await attempt
    assert ear.connection.sent == [("PING",)]


class ClosedConnection:
    """Refuse every write, as uvloop does on a transport that was closed in the middle."""

    is_connected = True

    async def connect(self) -> None:
        """Refuse."""
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    async def send_command(self, *_command: Any, check_health: bool) -> None:
        """Refuse."""
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


async def test_a_transport_that_was_closed_is_a_lost_connection() -> None:
    """What the event loop says of a closed transport is a loss like any other, and never ends the process."""
    line = Line(ClosedConnection(), PLAIN, heard=lambda *_: None, subscribed=lambda _: None, deadline=1)
    with pytest.raises(ConnectionLostError, match="closed"):
        await line.open([b"x"])
    with pytest.raises(ConnectionLostError, match="closed"):
        await line.ping()
