"""A real `picshare run` with engines as it embeds them, and live connections that record when publications arrive."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import aiohttp

from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey
from tests.engines.private import free_port
from tests.support.api_user import ApiUser
from tests.support.service import Service


class LiveService(NamedTuple):
    """The URL of a running service, and those of its engines."""

    url: str
    dsn: str
    redis_url: str


@asynccontextmanager
async def live_service(
    broker_url: str = "local:", *, module: str = "server.cli", env: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[LiveService]:
    """Run the service, without rate limits, until the end of the block; `module` is run in place of `picshare`."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-"))
        dsn = await stack.enter_async_context(embedded_postgres(Path(folder)))
        redis_url = await stack.enter_async_context(embedded_valkey(Path(folder)))
        port = free_port()
        limits = {f"PICSHARE_LIMITS__{name}": "1000000/m" for name in ("LIKES", "UPLOADS", "READS", "WRITES")}
        service = Service(
            ["run", "--no-demo", "--port", str(port), "--data", f"{folder}/data"],
            folder=Path(folder),
            name="run",
            port=port,
            module=module,
            env={
                **limits,
                **env,
                "PICSHARE_LOG__LEVEL": "warning",
                "PICSHARE_DATABASE__URL": dsn,
                "PICSHARE_REDIS__URL": redis_url,
                "PICSHARE_BROKER__URL": broker_url,
            },
        )
        await service.start()
        stack.push_async_callback(service.stop)
        yield LiveService(url=service.url, dsn=dsn, redis_url=redis_url)


class LiveSocket:
    """A minimal live connection that records the arrival time of each publication."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._arrived: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def connect(cls, http: aiohttp.ClientSession, user: ApiUser) -> AsyncIterator[LiveSocket]:
        """Connect as a user with the JSON protocol until the end of the block."""
        async with http.ws_connect(f"{user.url}/connection/websocket") as socket:
            live = cls(socket)
            await socket.send_str(json.dumps({"id": 1, "connect": {"token": user.token}}))
            await socket.receive()
            reader = asyncio.create_task(live._read())
            try:
                yield live
            finally:
                reader.cancel()

    async def until(self, kind: str, photo_id: str) -> float:
        """Wait for a publication about a photo, and return when it arrived, on the clock of `time.perf_counter`."""
        async with asyncio.timeout(10):
            while True:
                moment, data = await self._arrived.get()
                item = data.get("photo") or data.get("notification") or {}
                # A like that is given again is published as a change of its notification, not as news.
                if data["type"] in (kind, f"{kind}.changed") and photo_id in (item.get("id"), item.get("photo_id")):
                    return moment

    async def until_notification(self) -> float:
        """Wait for the next change of the user's inbox, and return when it arrived, on the same clock."""
        async with asyncio.timeout(30):
            while True:
                moment, data = await self._arrived.get()
                if data["type"].startswith("notification"):
                    return moment

    async def _read(self) -> None:
        async for message in self._socket:
            moment = time.perf_counter()
            for line in message.data.splitlines():
                reply = json.loads(line)
                if not reply:
                    await self._socket.send_str("{}")
                elif "pub" in reply.get("push", {}):
                    self._arrived.put_nowait((moment, reply["push"]["pub"]["data"]))
