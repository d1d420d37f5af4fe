"""A process of the role api, composed from settings, whose engines are behind proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from server.composition.backends import Stores, open_stores
from server.composition.process import ProcessBuilder
from server.config.settings import Settings
from server.operation.dependencies import DependencyWatch
from server.operation.metrics import Metrics
from tests.engines.private import free_port
from tests.support.api import SECRET
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.tcp_proxy import TcpProxy


class Engine:
    """An engine behind a proxy: a port, or the path of a unix socket."""

    def __init__(self, proxy: TcpProxy, target: int | str) -> None:
        self.proxy = proxy
        self._target = target

    async def leave(self, how: str) -> None:
        """Become unreachable ("away"), or accept connections and answer nothing ("frozen")."""
        if how == "frozen":
            self.proxy.freeze()
        else:
            self.proxy.redirect_to(free_port())
            await self.proxy.cut()

    async def come_back(self) -> None:
        """Answer again."""
        self.proxy.redirect_to(self._target)
        self.proxy.thaw()


@dataclass(frozen=True, kw_only=True)
class ProxiedProcess:
    """A running process, its engines and a client."""

    redis: Engine
    database: Engine
    stores: Stores
    watch: DependencyWatch
    session: aiohttp.ClientSession
    url: str

    async def user(self) -> ApiUser:
        """Sign a user up."""
        return await ApiUser.sign_up(self.session, self.url)

    async def readiness(self) -> tuple[int, list[str]]:
        """Return the status of `/readyz`, and what is missing."""
        async with self.session.get(f"{self.url}/readyz") as response:
            body = await response.json()
            return response.status, body.get("degraded", []) + body.get("failing", [])

    async def misses(self, *names: str) -> None:
        """Wait until exactly these dependencies are missing."""

        async def so() -> bool:
            return (await self.readiness())[1] == sorted(names)

        await eventually(so, within=30)

    async def values(self, metric: str, label: str) -> Mapping[str, float]:
        """Return the values of a metric by a label."""
        async with self.session.get(f"{self.url}/metrics") as response:
            families = text_string_to_metric_families(await response.text())
        return {
            item.labels[label]: item.value for family in families if family.name == metric for item in family.samples
        }


@asynccontextmanager
async def proxied_process(
    dsn: str, redis_url: str, folder: Path, **sections: Mapping[str, Any]
) -> AsyncIterator[ProxiedProcess]:
    """Run a process on a database on a unix socket, and a Redis on a port; `sections` are of the settings."""
    parts = urlsplit(dsn)
    socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
    redis_port = urlsplit(redis_url).port
    assert redis_port is not None
    async with AsyncExitStack() as stack:
        database = Engine(await stack.enter_async_context(TcpProxy.to(socket)), socket)
        redis = Engine(await stack.enter_async_context(TcpProxy.to(redis_port)), redis_port)
        settings = Settings().with_values("auth", secret=SECRET.decode(), hash_memory=19, hash_passes=2)
        settings = settings.with_values("redis", url=f"redis://127.0.0.1:{redis.proxy.port}")
        url = f"postgresql://picshare@127.0.0.1:{database.proxy.port}{parts.path}"
        settings = settings.with_values("database", url=url, pool_min=1)
        settings = settings.with_values("broker", url="amqp://127.0.0.1:1/")  # the role needs none
        for name, values in {"blobs": {"url": f"file:{folder / 'blobs'}"}, **sections}.items():
            settings = settings.with_values(name, **values)
        metrics = Metrics()
        stores = await stack.enter_async_context(open_stores(settings, metrics))
        builder = ProcessBuilder(settings, stores, metrics, stack)
        await builder.add(frozenset({"api"}))
        node = builder.node()
        assert node.app is not None
        node.health.started = True
        server = TestServer(node.app)
        await server.start_server(access_log=None)
        stack.push_async_callback(server.close)
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        yield ProxiedProcess(
            redis=redis,
            database=database,
            stores=stores,
            watch=DependencyWatch(node.health, metrics),
            session=session,
            url=str(server.make_url("")).rstrip("/"),
        )
        await redis.come_back()
        await database.come_back()
