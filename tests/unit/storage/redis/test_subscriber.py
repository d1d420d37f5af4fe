"""A subscriber on a socket whose other end is the test's: what is handed on, in which order, and how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions as driver

from storage.redis.address import RedisAddress
from storage.redis.connection import open_connection
from storage.redis.subscriber import Subscriber
from tests.support.eventually import eventually

PIECE = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n%d\r\n"


class MessageListener:
    """Keep what is heard; `act` may do something at each message."""

    def __init__(self) -> None:
        self.heard_data: list[tuple[bytes, bool]] = []
        self.losses: list[Exception] = []
        self.act: Callable[[], None] = lambda: None

    def message_received(self, message: Any, *, more: bool) -> None:
        """Keep a message."""
        self.heard_data.append((message[2], more))
        self.act()

    def connection_lost(self, error: Exception) -> None:
        """Keep the end."""
        self.losses.append(error)


class Scene:
    """A server's end of one connection."""

    def __init__(self) -> None:
        self.ear = MessageListener()
        self.server: asyncio.StreamWriter
        self.received: asyncio.StreamReader
        self.subscriber: Subscriber


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A subscriber without a password, which greets nobody."""
    async with _serving(tmp_path / "s") as scene:
        address = RedisAddress(path=str(tmp_path / "s"))
        scene.subscriber = await open_connection(address, Subscriber(scene.ear, reply_timeout=1), timeout=5)
        await eventually(lambda: hasattr(scene, "server"))
        yield scene
        await scene.subscriber.close()


@asynccontextmanager
async def _serving(path: Path, greeting: bytes = b"") -> AsyncIterator[Scene]:
    scene = Scene()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scene.received, scene.server = reader, writer
        writer.write(greeting)

    server = await asyncio.start_unix_server(accept, path)
    yield scene
    if hasattr(scene, "server"):
        scene.server.close()
    server.close()
    await server.wait_closed()


async def test_messages_in_their_order(scene: Scene) -> None:
    """What comes together, whole or in pieces, is heard in order; each but the last is followed by another."""
    scene.server.write(b"".join(PIECE % number for number in range(3)) + (PIECE % 3)[:10])
    await eventually(lambda: len(scene.ear.heard_data) == 3)
    scene.server.write((PIECE % 3)[10:])
    await eventually(lambda: len(scene.ear.heard_data) == 4)
    assert scene.ear.heard_data == [(b"0", True), (b"1", True), (b"2", False), (b"3", False)]


async def test_a_flood_lets_others_have_their_turn(scene: Scene) -> None:
    """However much has arrived, the event loop gets on after some milliseconds, and nothing is lost or turned round."""
    turns = 0
    scene.ear.act = lambda: time.sleep(0.001)

    def turn() -> None:
        nonlocal turns
        turns += 1
        if len(scene.ear.heard_data) < 100:
            asyncio.get_running_loop().call_soon(turn)

    scene.server.write(b"".join(PIECE % (number % 10) for number in range(100)))
    await eventually(lambda: scene.ear.heard_data)
    turn()
    await eventually(lambda: len(scene.ear.heard_data) == 100)
    assert turns >= 10
    assert [data for data, _ in scene.ear.heard_data] == [b"%d" % (number % 10) for number in range(100)]
    scene.server.write(PIECE % 5)
    await eventually(lambda: len(scene.ear.heard_data) == 101)


async def test_the_end_is_told_once(scene: Scene) -> None:
    """A closed connection is told with its reason, once; nothing can be said after it."""
    scene.server.close()
    await eventually(lambda: scene.ear.losses)
    await scene.subscriber.close()
    assert [str(error) for error in scene.ear.losses] == ["the server closed the connection"]
    with pytest.raises(driver.ConnectionError):
        scene.subscriber.send_command("PING")


async def test_a_message_that_cannot_be_handled_is_a_loss(scene: Scene) -> None:
    """Where the listener fails it is told that something was lost, and the error is reported, also behind a pause."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def fail_at_last() -> None:
        time.sleep(0.001)
        if len(scene.ear.heard_data) == 20:
            raise ZeroDivisionError

    scene.ear.act = fail_at_last
    scene.server.write(b"".join(PIECE % (number % 10) for number in range(30)))
    await eventually(lambda: scene.ear.losses)
    assert isinstance(reported[0]["exception"], ZeroDivisionError)
    assert len(scene.ear.heard_data) == 20


async def test_nonsense_ends_the_connection(scene: Scene) -> None:
    """What is not Redis' protocol is a loss."""
    scene.server.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await eventually(lambda: scene.ear.losses)
    assert isinstance(scene.ear.losses[0], driver.InvalidResponse)


async def test_the_greeting_is_not_heard(tmp_path: Path) -> None:
    """A password is given first, and its answer is not taken for a message; then commands go out as they are said."""
    async with _serving(tmp_path / "s", greeting=b"+OK\r\n") as scene:
        address = RedisAddress(path=str(tmp_path / "s"), password="hunter2")
        subscriber = await open_connection(address, Subscriber(scene.ear, reply_timeout=1), timeout=5)
        subscriber.send_command("SUBSCRIBE", b"a")
        expected = b"*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"
        assert await scene.received.readexactly(len(expected)) == expected
        assert scene.ear.heard_data == []
        await subscriber.close()


async def test_a_refused_greeting(tmp_path: Path) -> None:
    """A wrong password is an error that says so."""
    async with _serving(tmp_path / "s", greeting=b"-WRONGPASS invalid username-password pair\r\n") as scene:
        address = RedisAddress(path=str(tmp_path / "s"), password="hunter1")
        with pytest.raises(driver.ConnectionError, match="WRONGPASS"):
            await open_connection(address, Subscriber(scene.ear, reply_timeout=1), timeout=5)


async def test_nobody_waits_any_more(tmp_path: Path) -> None:
    """A connection whose opening is cancelled during the greeting is closed."""
    async with _serving(tmp_path / "s") as scene:
        address = RedisAddress(path=str(tmp_path / "s"), password="hunter2")
        dialling = asyncio.create_task(open_connection(address, Subscriber(scene.ear, reply_timeout=5), timeout=5))
        await eventually(lambda: hasattr(scene, "server"))
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        assert await asyncio.wait_for(scene.received.read(), 5) == b"*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n"
