"""A deployment through nginx: every process is replaced under requests and sockets, and no client sees an error."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import WSMsgType

from tests.engines.nginx import UNLIMITED, Nginx, running_nginx
from tests.engines.private import free_port
from tests.support.api import SECRET
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.gateways import plain_session
from tests.support.live import BareClient
from tests.support.service import Service

pytestmark = pytest.mark.engines

WITHIN = 60.0  # seconds
WRITERS, READERS, SOCKETS = 3, 3, 12
PAUSE = 0.03  # seconds between two requests of a client
ROLES = ("api", "live")


class Fleet:
    """The slots of a deployment: two ports for each role, both known to nginx, of which one is served at first."""

    def __init__(self, folder: Path, dsn: str, redis_url: str) -> None:
        self._folder = folder
        self._env = {
            "PICSHARE_DATABASE__URL": dsn,
            "PICSHARE_DATABASE__POOL_MAX": "5",
            "PICSHARE_REDIS__URL": redis_url,
            "PICSHARE_BROKER__URL": "amqp://nowhere/",
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_DATA__DIR": str(folder / "data"),
            "PICSHARE_AUTH__SECRET": SECRET.decode(),
            "PICSHARE_SERVER__TRUSTED_PROXIES": "127.0.0.1",
            # As docs/proxy.md recommends behind nginx: longer than fail_timeout.
            "PICSHARE_SERVER__DRAIN_DELAY": "3",
            "PICSHARE_LIVE__DRAIN_SECONDS": "1",
            **{f"PICSHARE_LIMITS__{name}": "1000000/m" for name in ("READS", "WRITES", "ANONYMOUS")},
        }
        self.ports = {role: [free_port(), free_port()] for role in ROLES}
        self._services: dict[tuple[str, int], Service] = {}

    async def start(self, slot: int) -> None:
        """Start a process of each role, and wait until both are ready."""
        for role in ROLES:
            port = self.ports[role][slot]
            command = ["serve", "--role", role, "--port", str(port)]
            service = Service(command, folder=self._folder, name=f"{role}{slot}", port=port, env=self._env)
            self._services[role, slot] = service
        await asyncio.gather(*(self._services[role, slot].start() for role in ROLES))

    async def stop(self, slot: int) -> None:
        """Stop the processes of a slot with SIGTERM."""
        codes = await asyncio.gather(*(self._services.pop((role, slot)).stop() for role in ROLES))
        assert codes == [0, 0]

    async def end(self) -> None:
        """Stop what still runs."""
        await asyncio.gather(*(service.stop() for service in self._services.values()))


class Clients:
    """Clients that send requests one after the other, and sockets that reconnect after each close."""

    def __init__(self, nginx: Nginx, user: ApiUser) -> None:
        self._nginx = nginx
        self._user = user
        self.statuses = Counter[tuple[str, int]]()
        self.closes = Counter[int]()
        self.connected = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run all of them until the end of the block; raise the first error that a client has seen."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._write(number)) for number in range(WRITERS)]
            tasks += [group.create_task(self._read()) for _ in range(READERS)]
            tasks += [group.create_task(self._listen()) for _ in range(SOCKETS)]
            yield
            for task in tasks:
                task.cancel()

    async def _write(self, number: int) -> None:
        # The method that nginx never sends twice.
        while True:
            response = await self._user.call("PATCH", "/users/me", json={"bio": f"{number} {time.monotonic()}"})
            self.statuses["PATCH", response.status] += 1
            await asyncio.sleep(PAUSE)  # a client's own pace

    async def _read(self) -> None:
        while True:
            response = await self._user.call("GET", "/users/me")
            self.statuses["GET", response.status] += 1
            await asyncio.sleep(PAUSE)  # a client's own pace

    async def _listen(self) -> None:
        while True:
            async with BareClient.to(f"{self._nginx.url}/connection/websocket") as client:
                await client.connect(self._user.token)
                self.connected += 1
                async for message in client.socket:
                    if message.type is WSMsgType.TEXT and "{}" in message.data.split("\n"):
                        await client.send({})
                self.connected -= 1
                self.closes[client.socket.close_code or 0] += 1


@pytest.fixture
def redis_url(real_redis_url: str) -> str:
    """One engine is enough here."""
    return real_redis_url


async def test_a_rolling_restart_through_nginx(short_dir: Path, database_dsn: str, redis_url: str) -> None:
    """Successors start, then the first processes stop: all requests succeed, also those that nginx never repeats.

    Sockets are closed with 3001 alone, and reconnect at once.
    """
    fleet = Fleet(short_dir, database_dsn, redis_url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fleet.end)
        await fleet.start(0)
        ports = fleet.ports
        nginx = await stack.enter_async_context(
            running_nginx(
                short_dir / "nginx",
                api=ports["api"],
                live=ports["live"],
                secret=SECRET.decode(),
                changes=UNLIMITED,
            )
        )
        session = await stack.enter_async_context(plain_session())
        user = await ApiUser.sign_up(session, nginx.url)
        clients = Clients(nginx, user)
        async with clients.running():
            await eventually(lambda: clients.connected == SOCKETS, within=WITHIN)
            await fleet.start(1)
            before = clients.statuses.total()
            await fleet.stop(0)
            during = clients.statuses.total() - before
            await eventually(lambda: clients.connected == SOCKETS, within=WITHIN)
            await eventually(lambda: clients.statuses.total() > before + during + 50, within=WITHIN)
        assert set(clients.statuses) == {("GET", 200), ("PATCH", 200)}
        assert during > 0
        assert set(clients.closes) == {3001}
        assert clients.closes[3001] >= SOCKETS
