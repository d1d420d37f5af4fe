"""Images that are not public any more disappear from all caches: the API, the worker "purge" and two real nginx."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from storage import ids
from storage.models import ProfileImageKind
from storage.postgres.database import Database
from storage.redis.client import Redis
from storage.stores.media import profile_images
from tests.support.api_user import ApiUser
from tests.support.cached_api import CachedApi, cached_api, former_paths_of, paths_of, sha256_of
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS, photograph

pytestmark = pytest.mark.engines

# Seconds from the moment at which an image is hidden until no cache has it: two, if the machine is not busy.
WITHIN = 10.0
RETRIED = 30.0  # seconds within which a cache that is back has carried out what it missed


@pytest.fixture
async def edge(
    database: Database, redis: Redis, database_dsn: str, short_dir: Path, session: aiohttp.ClientSession
) -> AsyncIterator[CachedApi]:
    """A running edge."""
    async with cached_api(database, redis, database_dsn, short_dir, session) as edge:
        yield edge


async def _delete_photo(user: ApiUser, photo: dict[str, Any]) -> None:
    (await user.call("DELETE", f"/photos/{photo['id']}")).expect(204)


async def _become_private(user: ApiUser, _: dict[str, Any]) -> None:
    (await user.call("PATCH", "/users/me", json={"private": True})).expect(200)


async def _delete_account(user: ApiUser, _: dict[str, Any]) -> None:
    (await user.call("DELETE", "/users/me")).expect(202)


@pytest.mark.parametrize("hide", [_delete_photo, _become_private, _delete_account])
async def test_hidden_photos_disappear_from_all_caches(
    edge: CachedApi, hide: Callable[[ApiUser, dict[str, Any]], Awaitable[None]]
) -> None:
    """Within two seconds no cache serves a photo in any size; the same bytes of another public account stay."""
    ann, ben = await edge.api.user(), await edge.api.user()
    hidden = await edge.photo(ann, photograph().read_bytes())
    shared = await edge.photo(ann, (PHOTOS / "cat.jpg").read_bytes())
    await edge.photo(ben, (PHOTOS / "cat.jpg").read_bytes())
    paths = [*paths_of(hidden), *former_paths_of(hidden)]
    await edge.fill(*paths, *paths_of(shared))

    hidden_at = time.monotonic()
    await hide(ann, hidden)
    await eventually(lambda: edge.gone(*paths), within=WITHIN)
    assert time.monotonic() - hidden_at < WITHIN
    for cache in edge.caches:
        assert {await edge.get(cache, path) for path in paths_of(shared)} == {(200, "HIT")}


async def test_an_account_that_is_public_again_is_cached_again(edge: CachedApi) -> None:
    """Its images are hidden for a while only: until the caches have forgotten them."""
    ann = await edge.api.user()
    paths = paths_of(await edge.photo(ann, photograph().read_bytes()))
    await edge.fill(*paths)
    await _become_private(ann, {})
    await eventually(lambda: edge.gone(*paths), within=WITHIN)
    (await ann.call("PATCH", "/users/me", json={"private": False})).expect(200)

    async def cached() -> bool:
        return {await edge.get(cache, path) for cache in edge.caches for path in paths} == {(200, "HIT")}

    await eventually(cached, within=RETRIED)


async def test_a_replaced_avatar_disappears_from_all_caches(edge: CachedApi, database: Database) -> None:
    """The avatar before is gone once another one is shown."""
    ann = await edge.api.user()
    photo = await edge.photo(ann, photograph().read_bytes())
    sha256 = sha256_of(photo)
    user_id = ids.decode((await ann.call("GET", "/users/me")).expect(200)["id"])

    async def show(content: str) -> None:
        async with database.transaction() as tx:
            await profile_images.create(
                tx, user_id=user_id, kind=ProfileImageKind.AVATAR, sha256=content, content_type="image/jpeg", size=1
            )
        async with database.transaction() as tx:
            assert await profile_images.mark_ready(tx, user_id, ProfileImageKind.AVATAR, content)

    await show(sha256)
    async with database.transaction() as tx:
        await tx.execute("UPDATE photos SET deleted_at = now()")  # so that only the avatar shows it
    await edge.fill(f"/media/{sha256}/thumb.jpg")
    await show("f" * 64)
    await eventually(lambda: edge.gone(f"/media/{sha256}/thumb.jpg"), within=WITHIN)


async def test_private_images_disappear_from_caches_that_verify_signatures(
    database: Database, redis: Redis, database_dsn: str, short_dir: Path, session: aiohttp.ClientSession
) -> None:
    """A deleted photo of a private account is gone also for the holder of a valid URL, one that is left stays."""
    async with cached_api(database, redis, database_dsn, short_dir, session, signature="nginx") as edge:
        ann = await edge.api.user()
        (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
        deleted = await edge.photo(ann, photograph().read_bytes())
        left = await edge.photo(ann, (PHOTOS / "cat.jpg").read_bytes())
        await edge.fill(*paths_of(deleted), *paths_of(left))
        await _delete_photo(ann, deleted)
        await eventually(lambda: edge.gone(*paths_of(deleted)), within=WITHIN)
        for cache in edge.caches:
            assert {await edge.get(cache, path) for path in paths_of(left)} == {(200, "HIT")}


async def test_a_cache_that_was_down_catches_up(edge: CachedApi) -> None:
    """The other cache does not wait for it, and once it is back it forgets what was deleted in the meantime."""
    ann = await edge.api.user()
    photos = [await edge.photo(ann, path.read_bytes()) for path in (photograph(), PHOTOS / "cat.jpg")]
    await edge.fill(*(path for photo in photos for path in paths_of(photo)))
    up, down = edge.caches
    await down.stop()
    for photo in photos:
        await _delete_photo(ann, photo)
        await eventually(lambda: edge.gone(*paths_of(photo), caches=(up,)), within=WITHIN)  # noqa: B023 - awaited
    await down.start()
    await eventually(lambda: edge.gone(*(path for photo in photos for path in paths_of(photo))), within=RETRIED)
