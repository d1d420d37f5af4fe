"""A live endpoint on a real socket and a real Redis, and a minimal client that shows every message of the protocol."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import msgpack
import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector, WSMsgType, web

from channels.bus.addressing import GROUPS, channel_prefix, registry_key, user_field
from channels.bus.envelope import encode_envelope, stream_body
from channels.bus.presence_store import PresenceStore
from channels.bus.redis_client import publish
from channels.contract.ports import Ports
from channels.contract.settings import LiveSettings
from channels.live import build_live
from storage.redis.client import Redis
from tests.support.driver_commands import commands
from tests.support.eventually import DEADLINE, eventually
from tests.support.fake_ports import FakeAuthenticator, FakeAuthorizer, FakeOperations, FakePresences, MemoryStreams

PATH = "/connection/websocket"


def group_of(user_id: int) -> int:
    """Return a test user's slot group."""
    return user_id % GROUPS


class CountingMetrics:
    """Metrics that record every call."""

    def __init__(self) -> None:
        self.opened = 0
        self.codes: list[int] = []
        self.sent = 0
        self.recoveries: list[tuple[int, int]] = []
        self.slow: list[int] = []
        self.online = self.offline = self.expired = 0
        self.stages: list[tuple[str, str, float]] = []

    def live_slow(self, waiting: int) -> None:
        """Record the unsent bytes."""
        self.slow.append(waiting)

    def live_opened(self) -> None:
        """Count a connection."""
        self.opened += 1

    def live_closed(self, code: int) -> None:
        """Record a close code."""
        self.codes.append(code)

    def live_sent(self, messages: int) -> None:
        """Count messages."""
        self.sent += messages

    def live_recovered(self, *, recovered: int, lost: int) -> None:
        """Record the outcome of a recovery."""
        self.recoveries.append((recovered, lost))

    def live_online(self, users: int) -> None:
        """Count users announced as online."""
        self.online += users

    def live_offline(self, users: int) -> None:
        """Count users announced as offline."""
        self.offline += users

    def live_processes_expired(self, processes: int) -> None:
        """Count dead processes."""
        self.expired += processes

    def event_stage(self, *, queue: str, stage: str, age: float) -> None:
        """Record an event that has reached a stage."""
        self.stages.append((queue, stage, age))


class LiveServer:
    """One live process, `live`, with fake ports, served at `url`."""

    def __init__(self, redis: Redis, settings: LiveSettings) -> None:
        self.redis = redis
        self.metrics = CountingMetrics()
        self.authenticator = FakeAuthenticator()
        self.streams = MemoryStreams()
        self.authorizer = FakeAuthorizer(PresenceStore(redis, group_of))
        ports = Ports(
            authenticator=self.authenticator,
            streams=self.streams,
            authorizer=self.authorizer,
            presences=FakePresences(),
            operations=FakeOperations(),
        )
        self.live = build_live(redis, ports, group_of, settings, metrics=self.metrics)
        self.url = self.origin = ""
        self.port = 0
        self._work: asyncio.Task[None] | None = None
        self._killed = False

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[LiveServer]:
        """Serve on a free port inside the block, with a context over TLS."""
        app = web.Application()
        app.router.add_get(PATH, self.live.handle)
        streaming = self.live.streaming
        app.router.add_get("/connection/sse", partial(streaming.sse, address="127.0.0.1"))
        app.router.add_post("/connection/http_stream", partial(streaming.http_stream, address="127.0.0.1"))
        app.router.add_post("/emulation", streaming.emulation)
        for path in ("/connection/http_stream", "/emulation"):
            app.router.add_options(path, streaming.preflight)
        app.router.add_get("/live/sse", self._events)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.port = runner.addresses[0][1]
        secure = "s" if tls is not None else ""
        self.origin = f"http{secure}://127.0.0.1:{self.port}"
        self.url = f"ws{secure}://127.0.0.1:{self.port}{PATH}"
        self._work = asyncio.create_task(self.live.run())
        work = self._work
        try:
            await eventually(lambda: self.live.ready or work.done())
            yield self
        finally:
            if not self._killed:
                await self.live.close()
            await self._end(work)
            await runner.cleanup()

    async def kill(self) -> None:
        """Stop without unregistering, as SIGKILL does."""
        assert self._work is not None
        self._killed = True
        await self._end(self._work)

    @staticmethod
    async def _end(work: asyncio.Task[None]) -> None:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    async def _events(self, request: web.Request) -> web.StreamResponse:
        identity = await self.authenticator.authenticate(request.query["token"])
        return await self.live.streaming.events(request, "127.0.0.1", identity)

    async def publish(self, redis: Redis, user_ids: list[int], stream: str, data: Any) -> int:
        """Append to each user's stream and publish it as the inserting scripts do; return the last offset."""
        offset = 0
        for user_id in user_ids:
            offset = self.streams.append(user_id, stream, orjson.dumps(data)).offset
            await announce(redis, user_id, stream, data, offset)
        return offset


async def announce(redis: Redis, user_id: int, stream: str, data: Any, offset: int) -> None:
    """Publish to every process at which a user is registered, as the inserting scripts do."""
    group = group_of(user_id)
    value: bytes = await commands(redis).hget(registry_key(group), user_field(user_id)) or b""
    message = encode_envelope([user_id], stream_body(stream, orjson.dumps(data)), offset=offset)
    for start in range(0, len(value), 8):
        channel = channel_prefix(group) + value[start : start + 8]
        await publish(redis, channel, message)


class BareClient:
    """A protocol client on aiohttp's client socket; replies and pushes are returned in order."""

    def __init__(self, socket: ClientWebSocketResponse, *, packed: bool = False) -> None:
        self.socket = socket
        self._packed = packed
        self._waiting: list[dict[str, Any]] = []
        self._ids = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str, *, packed: bool = False, origin: str | None = None) -> AsyncIterator[BareClient]:
        """Open a socket inside the block; with TLS any certificate is accepted."""
        protocols = ["picshare-msgpack"] if packed else []
        async with (
            ClientSession(connector=TCPConnector(ssl=False)) as session,
            session.ws_connect(url, protocols=protocols, origin=origin, autoping=False, max_msg_size=0) as socket,
        ):
            yield cls(socket, packed=packed)

    async def send(self, *messages: dict[str, Any]) -> None:
        """Send messages in one frame."""
        if self._packed:
            await self.socket.send_bytes(b"".join(msgpack.packb(message) for message in messages))
        else:
            await self.socket.send_str("\n".join(orjson.dumps(message).decode() for message in messages))

    async def request(self, method: str, /, **params: Any) -> dict[str, Any]:
        """Send one command and return its reply; pushes before it are kept."""
        self._ids += 1
        await self.send({"id": self._ids, method: params})
        return await self.reply(self._ids)

    async def connect(self, token: str, **params: Any) -> dict[str, Any]:
        """Connect and return the result."""
        message = await self.request("connect", token=token, **params)
        result: dict[str, Any] = message["connect"]
        return result

    async def reply(self, command_id: int) -> dict[str, Any]:
        """Return the reply to a command."""
        return await self._next(lambda message: message.get("id") == command_id)

    async def push(self) -> dict[str, Any]:
        """Return the next push."""
        message = await self._next(lambda message: "push" in message)
        push: dict[str, Any] = message["push"]
        return push

    async def any(self) -> dict[str, Any]:
        """Return the next message of any kind but a ping; the first of those comes at a random moment."""
        return await self._next(bool)

    async def data(self) -> Any:
        """Return the document of the next push, which must be a publication."""
        return (await self.push())["pub"]["data"]

    async def ping(self) -> None:
        """Wait for the server's ping."""
        await self._next(lambda message: not message)

    async def closed(self) -> tuple[int, str]:
        """Read to the end and return the close code and reason."""
        async with asyncio.timeout(DEADLINE):
            while True:
                message = await self.socket.receive()
                if message.type is WSMsgType.CLOSE:
                    return int(message.data), str(message.extra)
                if message.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
                    return self.socket.close_code or 0, ""

    async def quiet(self) -> list[dict[str, Any]]:
        """Return everything that arrives before the reply to a ping, so nothing else was in progress."""
        message = await self.request("ping")
        assert message["ping"] == {}
        waiting, self._waiting = self._waiting, []
        return [message for message in waiting if message]

    async def _next(self, expected: Any) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            while True:
                for position, message in enumerate(self._waiting):
                    if expected(message):
                        return self._waiting.pop(position)
                await self._read()

    async def _read(self) -> None:
        message = await self.socket.receive()
        if message.type is WSMsgType.TEXT:
            self._waiting.extend(orjson.loads(line) for line in message.data.split("\n"))
        elif message.type is WSMsgType.BINARY:
            unpacker = msgpack.Unpacker()
            unpacker.feed(message.data)
            self._waiting.extend(unpacker)
        else:
            raise AssertionError(f"the connection ended: {message.type.name} {message.data} {message.extra}")
