"""A change of names and of the avatar until all copies show it, and how long others' likes take meanwhile.

The author has 1,000 photos, whose cards are in Redis, 2,000 comments below the photos of others, and 10,000 followers.
The service is a real `picshare run`. The yardstick, in the same rounds, changes as many comments of another user in one
statement and deletes as many cards in one pipeline: the least that the copies cost where nobody else has to wait less.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from bench.bulk_work import add_comments, add_photos, analyze
from bench.crowd import add_followers
from bench.live import like_delays
from bench.live_service import LiveSocket, live_service
from bench.report import RATIO, Figure, figure, percentile, ratios
from storage import ids
from storage.cache.cards import Cards, card_key, is_visible
from storage.postgres.database import Database
from storage.redis.client import Redis, open_redis
from tests.support.api_user import ApiUser
from tests.support.driver_commands import commands, driver_client
from tests.support.eventually import eventually
from tests.support.pictures import encoded, halves, photograph
from workers.broker.routing import queues_of

FOLLOWERS = 10_000
GROUP = "change of names or avatar → all copies"
COPIES_GOAL, OTHERS_GOAL = 3.0, 2.0
AT_MOST = 60.0  # seconds
LIKES = 10  # between two changes
COPIES_LIMIT = "the same rows in one statement and the same keys in one pipeline, which others have to wait for"
OTHERS_LIMIT = "the idle service in the same round: the share of a second user who is as busy"


@dataclass(kw_only=True)
class _Measured:
    """One value a round, in milliseconds."""

    names: list[float] = field(default_factory=list)
    avatar: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Scene:
    db: Database
    redis: Redis
    author: ApiUser
    twin: ApiUser  # has as much as the author, and is changed by the yardstick
    photos: list[int]
    twins_photos: list[int]
    like: Callable[[int], Awaitable[list[float]]]


async def measure(*, quick: bool) -> list[Figure]:
    """Return the times of both changes, the yardstick, and the delays of others' likes."""
    photos, comments, rounds = (200, 400, 2) if quick else (1_000, 2_000, 7)
    measured = _Measured()
    async with _scene(photos, comments) as scene:
        await scene.like(LIKES)
        for _ in range(rounds):
            measured.idle.append(percentile(await scene.like(3 * LIKES), 0.5))
            measured.floor.append(await _floor(scene))
            measured.names.append(await _until_shown(scene, _rename))
            measured.avatar.append(await _until_shown(scene, _change_avatar))
            measured.busy.append(percentile(await _likes_meanwhile(scene), 0.5))
    return _figures(measured, photos, comments)


def _figures(measured: _Measured, photos: int, comments: int) -> list[Figure]:
    group = f"{GROUP} of {photos:,} photos and {comments:,} comments"
    return [
        figure(group, "names", "ms", measured.names),
        figure(group, "avatar, from the response", "ms", measured.avatar),
        figure(group, "the same rows and keys at once", "ms", measured.floor),
        figure(
            group,
            "names : rows and keys at once",
            RATIO,
            ratios(measured.names, measured.floor),
            at_most=COPIES_GOAL,
            limit=COPIES_LIMIT,
        ),
        figure(group, "others' likes, p50, idle", "ms", measured.idle),
        figure(group, "others' likes, p50, during such changes", "ms", measured.busy),
        figure(
            group,
            "others' likes, p50, to idle",
            RATIO,
            ratios(measured.busy, measured.idle),
            at_most=OTHERS_GOAL,
            limit=OTHERS_LIMIT,
        ),
    ]


async def _until_shown(scene: _Scene, change: Callable[[_Scene], Awaitable[tuple[float, str, str]]]) -> float:
    """Change the author, and return the milliseconds until no copy shows the former state."""
    await Cards(scene.db, scene.redis).load(scene.photos)
    started, text, column = await change(scene)
    author_id = ids.decode(scene.author.id)
    outdated = f"SELECT count(*) FROM comments WHERE author_id = $1 AND {column} IS DISTINCT FROM $2"  # noqa: S608

    async def shown() -> bool:
        if await scene.db.fetchval(outdated, author_id, text):
            return False
        stored = await commands(scene.redis).mget([card_key(photo_id) for photo_id in scene.photos])
        return not any(card is not None and is_visible(card) and text.encode() not in card for card in stored)

    await eventually(shown, within=AT_MOST)
    return (time.perf_counter() - started) * 1000


async def _rename(scene: _Scene) -> tuple[float, str, str]:
    # A username may be changed twice in 30 days.
    await scene.db.fetch("DELETE FROM former_usernames WHERE user_id = $1", ids.decode(scene.author.id))
    name, started = f"Ann {secrets.token_hex(4)}", time.perf_counter()
    change = {"display_name": name, "username": f"u{secrets.token_hex(6)}"}
    (await scene.author.call("PATCH", "/users/me", json=change)).expect(200)
    return started, name, "author_name"


async def _change_avatar(scene: _Scene) -> tuple[float, str, str]:
    # A file of its own, so that its hash is a new one.
    form = aiohttp.FormData()
    form.add_field(
        "file", encoded(halves(60, 40)) + secrets.token_bytes(16), filename="a.jpg", content_type="image/jpeg"
    )
    (await scene.author.call("PUT", "/users/me/avatar", data=form)).expect(202)
    started = time.perf_counter()
    author_id = ids.decode(scene.author.id)
    pending = (
        "SELECT sha256 FROM profile_images WHERE user_id = $1 AND kind = 'avatar' ORDER BY created_at DESC LIMIT 1"
    )
    return started, await scene.db.fetchval(pending, author_id), "author_avatar"


async def _floor(scene: _Scene) -> float:
    """Change the twin's copies at once, and return the milliseconds."""
    await Cards(scene.db, scene.redis).load(scene.twins_photos)
    driver = driver_client(scene.redis)
    try:
        started = time.perf_counter()
        async with scene.db.transaction() as tx:
            await tx.execute(
                "UPDATE comments SET author_name = $2 WHERE author_id = $1",
                ids.decode(scene.twin.id),
                secrets.token_hex(4),
            )
        pipeline = driver.pipeline(transaction=False)
        for photo_id in scene.twins_photos:
            pipeline.delete(card_key(photo_id))
        await pipeline.execute()
        return (time.perf_counter() - started) * 1000
    finally:
        await driver.aclose()


async def _likes_meanwhile(scene: _Scene) -> list[float]:
    """Return the delays of likes while one change follows the other."""
    delays: list[float] = []
    for _ in range(3):
        changing = asyncio.create_task(_until_shown(scene, _rename))
        delays += await scene.like(LIKES)
        await changing
    return delays


@asynccontextmanager
async def _scene(photos: int, comments: int) -> AsyncIterator[_Scene]:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(live_service())
        db = await Database.connect(service.dsn, routes=queues_of, max_size=4)
        stack.push_async_callback(db.close)
        redis = open_redis(service.redis_url)
        stack.push_async_callback(redis.aclose)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        author, twin, other, owner, fan = [await ApiUser.sign_up(http, service.url) for _ in range(5)]
        await add_followers(db, ids.decode(author.id), FOLLOWERS)
        below = await add_photos(db, other, 200)
        posted = []
        for user in (author, twin):
            posted.append(await add_photos(db, user, photos))
            await add_comments(db, user, below, comments)
        await analyze(db)
        await fan.follow(owner)
        owners = await stack.enter_async_context(LiveSocket.connect(http, owner))
        fans = await stack.enter_async_context(LiveSocket.connect(http, fan))
        liked = await owner.upload(photograph())
        await fans.until("photo.new", liked["id"])
        yield _Scene(
            db=db,
            redis=redis,
            author=author,
            twin=twin,
            photos=posted[0],
            twins_photos=posted[1],
            like=lambda count: like_delays(fan, liked["id"], owners, count),
        )
