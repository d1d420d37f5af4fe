"""A subscriber on a socket whose other end is the test: which messages arrive, in which order, and how it ends."""

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
from tests.support.eventually import DEADLINE, eventually

PIECE = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n%d\r\n"


class MessageListener:
    """A listener that records messages; `act` runs at each one."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []
        self.losses: list[Exception] = []
        self.act: Callable[[], None] = lambda: None

    def message_received(self, message: Any, *, more: bool) -> None:
        """Record a message."""
        self.messages.append((message[2], more))
        self.act()

    def connection_lost(self, error: Exception) -> None:
        """Record the end."""
        self.losses.append(error)


class Scene:
    """The server's end of one connection."""

    def __init__(self) -> None:
        self.listener = MessageListener()
        self.server: asyncio.StreamWriter
        self.received: asyncio.StreamReader
        self.subscriber: Subscriber


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A subscriber without a password, so without a handshake."""
    async with _serving(tmp_path / "s") as scene:
        address = RedisAddress(path=str(tmp_path / "s"))
        scene.subscriber = await open_connection(address, Subscriber(scene.listener, reply_timeout=1), timeout=5)
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


async def test_messages_arrive_in_order(scene: Scene) -> None:
    """Messages keep their order, also in pieces; each but the last of a read is marked as followed by more."""
    scene.server.write(b"".join(PIECE % number for number in range(3)) + (PIECE % 3)[:10])
    await eventually(lambda: len(scene.listener.messages) == 3)
    scene.server.write((PIECE % 3)[10:])
    await eventually(lambda: len(scene.listener.messages) == 4)
    assert scene.listener.messages == [(b"0", True), (b"1", True), (b"2", False), (b"3", False)]


async def test_a_flood_does_not_block_the_event_loop(scene: Scene) -> None:
    """During a flood other tasks run every few milliseconds, and no message is lost or reordered."""
    turns = 0
    scene.listener.act = lambda: time.sleep(0.001)

    def turn() -> None:
        nonlocal turns
        turns += 1
        if len(scene.listener.messages) < 100:
            asyncio.get_running_loop().call_soon(turn)

    scene.server.write(b"".join(PIECE % (number % 10) for number in range(100)))
    await eventually(lambda: scene.listener.messages)
    turn()
    await eventually(lambda: len(scene.listener.messages) == 100)
    assert turns >= 10
    assert [data for data, _ in scene.listener.messages] == [b"%d" % (number % 10) for number in range(100)]
    scene.server.write(PIECE % 5)
    await eventually(lambda: len(scene.listener.messages) == 101)


async def test_the_end_is_reported_once(scene: Scene) -> None:
    """A closed connection is reported once, with its reason; sending afterwards is an error."""
    scene.server.close()
    await eventually(lambda: scene.listener.losses)
    await scene.subscriber.close()
    assert [str(error) for error in scene.listener.losses] == ["the server closed the connection"]
    with pytest.raises(driver.ConnectionError):
        scene.subscriber.send_command("PING")


async def test_a_failing_listener_loses_the_connection(scene: Scene) -> None:
    """If the listener fails, the connection is lost and the error reported, also for deferred messages."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def fail_at_last() -> None:
        time.sleep(0.001)
        if len(scene.listener.messages) == 20:
            raise ZeroDivisionError

    scene.listener.act = fail_at_last
    scene.server.write(b"".join(PIECE % (number % 10) for number in range(30)))
    await eventually(lambda: scene.listener.losses)
    assert isinstance(reported[0]["exception"], ZeroDivisionError)
    assert len(scene.listener.messages) == 20


async def test_invalid_protocol_ends_the_connection(scene: Scene) -> None:
    """Bytes that are not the Redis protocol end the connection."""
    scene.server.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await eventually(lambda: scene.listener.losses)
    assert isinstance(scene.listener.losses[0], driver.InvalidResponse)


async def test_the_handshake_is_not_delivered(tmp_path: Path) -> None:
    """The reply to the password is not delivered as a message; later commands are sent at once."""
    async with _serving(tmp_path / "s", greeting=b"+OK\r\n") as scene:
        address = RedisAddress(path=str(tmp_path / "s"), password="hunter2")
        subscriber = await open_connection(address, Subscriber(scene.listener, reply_timeout=1), timeout=5)
        subscriber.send_command("SUBSCRIBE", b"a")
        expected = b"*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"
        assert await scene.received.readexactly(len(expected)) == expected
        assert scene.listener.messages == []
        await subscriber.close()


async def test_a_refused_password(tmp_path: Path) -> None:
    """A wrong password is an error with the server's reason."""
    async with _serving(tmp_path / "s", greeting=b"-WRONGPASS invalid username-password pair\r\n") as scene:
        address = RedisAddress(path=str(tmp_path / "s"), password="hunter1")
        with pytest.raises(driver.ConnectionError, match="WRONGPASS"):
            await open_connection(address, Subscriber(scene.listener, reply_timeout=1), timeout=5)


async def test_cancelled_opening_closes_the_connection(tmp_path: Path) -> None:
    """A connection whose opening is cancelled during the handshake is closed."""
    async with _serving(tmp_path / "s") as scene:
        address = RedisAddress(path=str(tmp_path / "s"), password="hunter2")
        opening = asyncio.create_task(open_connection(address, Subscriber(scene.listener, reply_timeout=5), timeout=5))
        await eventually(lambda: hasattr(scene, "server"))
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert await asyncio.wait_for(scene.received.read(), DEADLINE) == b"*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n"
