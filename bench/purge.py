"""Time from the response to a deletion until no cache serves the image: two nginx, the API and the worker "purge".

The second figure is an account that becomes private: the time until its oldest photo is gone, for each of its photos.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from PIL import Image

from bench.report import COUNT, Figure, figure, percentile
from server.config.settings import Settings
from server.operation.logs import set_up_logs
from storage import ids
from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from storage.redis.client import open_redis
from storage.stores.accounts import users
from tests.support.api_user import ApiUser
from tests.support.cached_api import CachedApi, cached_api, paths_of
from tests.support.community import ready_photo
from tests.support.eventually import eventually
from tests.support.pictures import encoded
from workers.broker.routing import queues_of

GROUP = "an image that is hidden, in two caches"
PROMISE = 2.0  # seconds
_GIVE_UP = 60.0  # seconds


async def measure(*, quick: bool) -> list[Figure]:
    """Return the milliseconds from hidden to gone, and the number of images that were served after two seconds."""
    set_up_logs(Settings().with_values("log", level="warning").log)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis = open_redis(await stack.enter_async_context(embedded_valkey(folder)))
        stack.push_async_callback(redis.aclose)
        await migrate(dsn)
        database = await Database.connect(dsn, routes=queues_of, max_size=16)
        stack.push_async_callback(database.close)
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        edge = await stack.enter_async_context(cached_api(database, redis, dsn, folder / "edge", session))
        deleted = [await _deleted(edge, number) for number in range(10 if quick else 100)]
        photos, runs = (100, 1) if quick else (500, 3)
        accounts = [await _account(edge, database, photos, 1000 + run) for run in range(runs)]
    return [
        figure(GROUP, "from the response to a deletion until it is gone", "ms", [each * 1e3 for each in deleted]),
        figure(GROUP, "the same, 99 % of them", "ms", [percentile(deleted, 0.99) * 1e3]),
        figure(
            GROUP,
            "served after two seconds",
            COUNT,
            [sum(each > PROMISE for each in deleted)],
            at_most=0,
            limit="what the documentation promises",
        ),
        figure(
            GROUP,
            f"accounts of {photos} photos with an image that is served after two seconds",
            COUNT,
            [sum(each > PROMISE for each in accounts)],
            at_most=0,
            limit="what the documentation promises for one photo",
        ),
        figure(
            GROUP,
            f"each of {photos} photos of an account that becomes private",
            "ms",
            [each / photos * 1e3 for each in accounts],
        ),
    ]


async def _deleted(edge: CachedApi, number: int) -> float:
    ann = await edge.api.user()
    photo = await edge.photo(ann, _picture(number))
    await edge.fill(*paths_of(photo))
    (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
    return await _seconds_until_gone(edge, paths_of(photo))


async def _account(edge: CachedApi, database: Database, photos: int, number: int) -> float:
    ann = await edge.api.user()
    oldest = await edge.photo(ann, _picture(number))
    author = await users.get(database, await _id(ann))
    for _ in range(photos - 1):
        await ready_photo(database, author)
    await edge.fill(*paths_of(oldest))
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    return await _seconds_until_gone(edge, paths_of(oldest))


async def _id(user: ApiUser) -> int:
    return ids.decode((await user.call("GET", "/users/me")).expect(200)["id"])


async def _seconds_until_gone(edge: CachedApi, paths: list[str]) -> float:
    started = time.monotonic()
    # The API, the worker and this loop share a processor, so it asks for the image that is purged last.
    await eventually(lambda: edge.gone(paths[-1]), within=_GIVE_UP)
    seconds = time.monotonic() - started
    if not await edge.gone(*paths):
        raise RuntimeError("an image is left")
    return seconds


def _picture(number: int) -> bytes:
    return encoded(Image.new("RGB", (64, 64), (number % 256, number // 256, 7)), "PNG")
