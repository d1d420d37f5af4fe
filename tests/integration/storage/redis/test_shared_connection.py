"""The shared connection, with real servers and with one that misbehaves."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions as driver

from storage.errors import UnavailableError
from storage.redis.address import RedisAddress
from storage.redis.client import open_redis, redis_errors
from storage.redis.shared_connection import SharedConnection
from tests.engines.private import RedisNode, free_port
from tests.support.eventually import eventually
from tests.support.redis_handshake import answer_handshake

pytestmark = pytest.mark.engines


@asynccontextmanager
async def server(respond: Callable[[bytes], bytes | None]) -> AsyncIterator[SharedConnection]:
    """Run a server that replies each read with what `answer` returns, and nothing for None; yield a shared to it."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer_handshake(reader, writer)
        while data := await reader.read(65536):
            reply = respond(data)
            if reply == b"":
                writer.transport.abort()
            elif reply is not None:
                writer.write(reply)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    shared = SharedConnection(RedisAddress(host="127.0.0.1", port=port), reply_timeout=0.3, connect_timeout=0.3)
    try:
        yield shared
    finally:
        await shared.aclose()
        listening.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def test_replies_match_their_commands(redis: Any) -> None:
    """Each of many concurrent commands gets its own reply, small, large or an error."""
    values = {f"k{number}": bytes([number]) * (1 + number * 997) for number in range(60)}
    await asyncio.gather(*(redis.execute_command("SET", key, value) for key, value in values.items()))
    commands = [redis.execute_command("GET", key) for key in values]
    wrong = redis.execute_command("HGET", "k1", "field")
    *replies, error = await asyncio.gather(*commands, wrong, return_exceptions=True)
    assert replies == list(values.values())
    assert isinstance(error, driver.ResponseError)


async def test_cancelled_command_keeps_its_place(redis: Any) -> None:
    """The reply to a cancelled command is dropped, and the next command gets its own reply."""
    await redis.execute_command("SET", "a", "1")
    connection = await redis.execute_command("CLIENT", "ID")
    first = asyncio.create_task(redis.execute_command("GET", "missing"))
    second = asyncio.create_task(redis.execute_command("GET", "a"))
    await asyncio.sleep(0)  # both have been sent
    first.cancel()
    assert await second == b"1"
    assert first.cancelled()
    assert await redis.execute_command("CLIENT", "ID") == connection


async def test_commands_are_pipelined_on_one_connection(redis: Any) -> None:
    """Concurrent commands use one connection, and their replies are not mixed up."""
    connection = await redis.execute_command("CLIENT", "ID")
    await asyncio.gather(*(redis.execute_command("SET", f"k{number}", str(number)) for number in range(50)))
    replies = await asyncio.gather(*(redis.execute_command("GET", f"k{number}") for number in range(50)))
    assert replies == [str(number).encode() for number in range(50)]
    assert await redis.execute_command("CLIENT", "ID") == connection


async def test_late_reply_is_an_error() -> None:
    """A command without a reply in time fails, and so do those behind it; then a new connection is used."""
    silent = [True]
    async with server(lambda _: None if silent[0] else b"+OK\r\n") as shared:
        waiting = [asyncio.create_task(shared.execute_command("PING")) for _ in range(3)]
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, driver.TimeoutError)
        silent[0] = False

        async def works() -> bool:
            try:
                return bool(await shared.execute_command("PING") == b"OK")
            except driver.ConnectionError:  # for a moment a silent server is not asked
                return False

        await eventually(works)


async def test_reconnect() -> None:
    """After `reconnect` commands use a new connection; a reply on the old one still reaches its caller."""
    received: list[bytes] = []
    waiting: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent = not waiting
        waiting.append(writer)
        await answer_handshake(reader, writer)
        while data := await reader.read(65536):
            received.append(data)
            if not silent:
                writer.write(b"+OK\r\n")
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    shared = SharedConnection(RedisAddress(host="127.0.0.1", port=port), reply_timeout=5, connect_timeout=1)
    first = asyncio.create_task(shared.execute_command("FIRST"))
    await eventually(lambda: received)
    shared.reconnect()
    assert await shared.execute_command("SECOND") == b"OK"
    assert not first.done()
    waiting[0].write(b"+LATE\r\n")
    assert await first == b"LATE"
    await eventually(waiting[0].transport.is_closing)
    assert [data.split()[-1] for data in received] == [b"FIRST", b"SECOND"]
    shared.reconnect()
    await shared.aclose()
    listening.close()
    for writer in waiting:
        writer.transport.abort()


async def test_lost_connection_is_replaced_once() -> None:
    """A command on a lost connection is sent again on a new one; if that is lost, too, the command fails."""
    replies: list[bytes] = [b"+OK\r\n", b"", b"+OK\r\n", b"", b""]
    async with server(lambda _: replies.pop(0)) as shared:
        assert await shared.execute_command("PING") == b"OK"
        assert await shared.execute_command("PING") == b"OK"
        with pytest.raises(driver.ConnectionError):
            await shared.execute_command("PING")
        assert not replies


@pytest.mark.parametrize(
    "refusal",
    [
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write\r\n",
        b"-NOREPLICAS Not enough good replicas to write.\r\n",
        b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-CLUSTERDOWN The cluster is down\r\n",
    ],
)
async def test_refusal_of_a_server_that_is_no_master(refusal: bytes) -> None:
    """A command that a server refuses because it is not a master is sent once more, on a new connection."""
    replies = [b"+OK\r\n", refusal, b"+MOVED ON\r\n", refusal, refusal, b"+OK\r\n"]
    async with server(lambda _: replies.pop(0)) as shared:
        assert await shared.execute_command("PING") == b"OK"
        first = shared._connection
        assert await shared.execute_command("SET", "a", "1") == b"MOVED ON"
        assert shared._connection is not first
        with pytest.raises(UnavailableError), redis_errors():
            await shared.execute_command("SET", "a", "1")
        assert await shared.execute_command("SET", "a", "1") == b"OK"
        assert not replies


async def test_other_refusals_keep_the_connection() -> None:
    """A command that is wrong, or that finds no memory left, is neither repeated nor a reason to reconnect."""
    replies = [b"+OK\r\n", b"-ERR syntax error\r\n", b"-OOM command not allowed\r\n"]
    async with server(lambda _: replies.pop(0)) as shared:
        assert await shared.execute_command("PING") == b"OK"
        first = shared._connection
        for _ in range(2):
            with pytest.raises(driver.ResponseError):
                await shared.execute_command("SET", "a", "1")
        assert shared._connection is first


async def test_invalid_reply_ends_the_connection() -> None:
    """An invalid reply, or one without a command, fails and is never given to another command."""
    replies = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n+MORE\r\n", b"+OK\r\n"]
    async with server(lambda _: replies.pop(0)) as shared:
        with pytest.raises(driver.RedisError):
            await shared.execute_command("PING")
        assert await shared.execute_command("PING") == b"OK"
        assert await shared.execute_command("PING") == b"OK"


async def test_no_server() -> None:
    """Without a server all concurrent commands fail with `ConnectionError`."""
    shared = SharedConnection(RedisAddress(host="127.0.0.1", port=free_port()), reply_timeout=1, connect_timeout=1)
    for outcome in await asyncio.gather(*(shared.execute_command("PING") for _ in range(5)), return_exceptions=True):
        assert isinstance(outcome, driver.ConnectionError)
    await shared.aclose()


async def test_password_and_database(short_dir: Path) -> None:
    """User, password and database of the URL are used; a wrong password is an outage with its reason."""
    node = RedisNode(short_dir / "redis", free_port())
    node.start()
    redis = open_redis(node.url)
    await redis.execute_command("ACL", "SETUSER", "app", "on", ">p@ss", "~*", "+@all")
    address = node.url.removeprefix("redis://")
    named = open_redis(f"redis://app:p%40ss@{address}/3")
    await named.execute_command("SET", "where", "three")
    assert await redis.execute_command("SELECT", 3)
    wrong = open_redis(f"redis://app:wrong@{address}/3")
    with pytest.raises(UnavailableError, match="WRONGPASS"), redis_errors():
        await wrong.execute_command("PING")
    assert b"keys=1" in await redis.execute_command("INFO", "keyspace")
    for client in (redis, named, wrong):
        await client.aclose()
    node.stop()


@pytest.fixture
def encrypted(short_dir: Path) -> Iterator[tuple[int, Path]]:
    """The port of a Redis that accepts TLS only, and its certificate."""
    key, certificate = short_dir / "key.pem", short_dir / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
    options += ["--save", "", "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    yield port, certificate
    process.terminate()
    process.wait(10)


async def test_encrypted_connection(encrypted: tuple[int, Path]) -> None:
    """A rediss:// URL uses TLS, and the certificate is verified as the URL says."""
    port, certificate = encrypted
    trusting = open_redis(f"rediss://localhost:{port}?ssl_ca_certs={certificate}")

    async def replies() -> bool:
        try:
            return bool(await trusting.execute_command("PING") == b"PONG")
        except driver.ConnectionError:
            return False

    assert await eventually(replies)
    doubting = open_redis(f"rediss://localhost:{port}")
    with pytest.raises(driver.ConnectionError):
        await doubting.execute_command("PING")
    for client in (trusting, doubting):
        await client.aclose()
