"""An API whose images are cached by two real nginx, and the workers "purge" and "forget"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from server.composition.workers import worker_context
from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.engines.nginx import Nginx, running_nginx
from tests.support.api import SECRET, Api, running_api, services_of, with_media
from tests.support.api_user import ApiUser
from workers.broker.local import LocalBroker
from workers.broker.port import Policy
from workers.broker.routing import queues_of
from workers.jobs.context import open_handlers
from workers.registry import WORKERS
from workers.worker import Worker


@dataclass(frozen=True)
class CachedApi:
    """An API whose images are cached by two nginx."""

    api: Api
    caches: tuple[Nginx, Nginx]
    session: aiohttp.ClientSession

    async def get(self, cache: Nginx, path: str) -> tuple[int, str]:
        """Request a path from a cache; return the status and `X-Cache`."""
        async with self.session.get(cache.url + path) as response:
            await response.read()
            return response.status, response.headers.get("X-Cache", "")

    async def fill(self, *paths: str) -> None:
        """Have both caches keep these paths."""
        for cache in self.caches:
            for path in paths:
                assert [(await self.get(cache, path))[0] for _ in range(2)] == [200, 200]
                assert await self.get(cache, path) == (200, "HIT")

    async def gone(self, *paths: str, caches: Sequence[Nginx] | None = None) -> bool:
        """Return whether caches answer 404 to all of these paths."""
        return {(await self.get(cache, path))[0] for cache in caches or self.caches for path in paths} == {404}

    async def photo(self, user: ApiUser, data: bytes) -> dict[str, Any]:
        """Post a photo with its eager variants."""
        photo = await user.upload(data)
        await self.api.finish(photo)
        shown: dict[str, Any] = (await user.call("GET", f"/photos/{photo['id']}")).expect(200)
        return shown


@asynccontextmanager
async def cached_api(
    database: Database, redis: Redis, dsn: str, folder: Path, session: aiohttp.ClientSession, **media: Any
) -> AsyncIterator[CachedApi]:
    """Run an API with two caches and the workers "purge" and "forget"."""
    services = with_media(services_of(database, redis, folder / "api"), **media)
    secret = SECRET.decode()
    async with (
        running_api(services) as api,
        running_nginx(folder / "1", api=[api.port], secret=secret) as one,
        running_nginx(folder / "2", api=[api.port], secret=secret) as two,
    ):
        settings = services.base.with_values("edge", caches=(one.url, two.url))
        claims = await Database.connect(dsn, routes=queues_of, min_size=1, max_size=8)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(claims.close)
            for spec in (spec for spec in WORKERS if spec.name in {"purge", "forget"}):
                context = worker_context(spec.name, settings, services.stores)
                handlers = await stack.enter_async_context(open_handlers(spec, context))
                policy = Policy(concurrency=spec.concurrency)
                stack.push_async_callback(
                    _cancel, asyncio.create_task(Worker(LocalBroker(claims), spec.name, handlers, policy).run())
                )
            yield CachedApi(api, (one, two), session)
        services.passwords.close()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def paths_of(photo: dict[str, Any]) -> list[str]:
    """Return the paths of a photo's eager variants, with signatures if it is private."""
    sizes = [size for size in photo["images"]["sizes"] if "/320.jpg" in size["jpg"] or "/1080.jpg" in size["jpg"]]
    return [size[name] for size in sizes for name in ("jpg", "webp")]


def former_paths_of(photo: dict[str, Any]) -> list[str]:
    """Return the paths of a public photo's images before there were recipes."""
    return [f"/media/{sha256_of(photo)}/{name}.jpg" for name in ("thumb", "feed")]


def sha256_of(photo: dict[str, Any]) -> str:
    """Return the hash in the URLs of a photo."""
    return str(photo["urls"]["thumb"]).split("/")[-2]
