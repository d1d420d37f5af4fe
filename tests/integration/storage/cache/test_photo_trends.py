"""The ranking of photos in Redis: the same from each like as it happens and from PostgreSQL."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from storage import ids
from storage.cache.counters import CounterCache
from storage.cache.photo_trends import AUTHOR_DISTANCE, LIST_SECONDS, TOP, PhotoTrends
from storage.models import Photo, PhotoCounters, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields
from storage.stores.comments import comments
from storage.stores.discovery import photo_trends
from storage.stores.photos import likes
from storage.trends import PhotoTrend
from tests.support.community import follow, in_the_past, new_user, new_users, old_users, ready_photo
from tests.support.driver_commands import commands
from workers.jobs.upkeep.trends import TrendTasks

pytestmark = [pytest.mark.engines, pytest.mark.cluster]


class Clock:
    """A clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Measured(dict[str, int]):
    """The numbers of entries by kind."""

    def trending_measured(self, *, kind: str, entries: int) -> None:
        """Record."""
        self[kind] = entries


def trend(number: int, *, author: int = 1, version: int = 1, likes: int = 1) -> PhotoTrend:
    """Return the state of a photo; a greater number is newer by an hour."""
    photo_id = ids.span(timedelta(hours=number)) + 1
    return PhotoTrend(
        photo_id=photo_id, author_id=author, version=version, likes=likes, commenters=0, followers=0, public=True
    )


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def trends(redis: Any, clock: Clock) -> PhotoTrends:
    """A ranking of up to 30 photos."""
    return PhotoTrends(redis, kept=30, clock=clock)


async def react(database: Database, rng: random.Random, user: User, photo: Photo) -> None:
    """Like, unlike or comment."""
    async with database.transaction() as tx:
        match rng.randrange(4):
            case 0:
                await likes.remove(tx, photo_id=photo.id, user_id=user.id)
            case 1:
                await comments.add(tx, photo_id=photo.id, author_id=user.id, text="!")
            case _:
                await likes.add(tx, photo_id=photo.id, user_id=user.id)


async def test_the_incremental_ranking_is_that_of_postgresql(database: Database, redis: Any) -> None:
    """States that arrive in any order, some of them twice, lead to the scores that PostgreSQL gives."""
    rng = random.Random()
    ann, ben, cat = await old_users(database, "ann", "ben", "cat")
    people = [ann, ben, cat, *await old_users(database, "dan", "eve"), await new_user(database, "new")]
    await follow(database, ben, ann)
    photos = [await ready_photo(database, author) for author in (ann, ann, ben, cat)]
    cache, ranking = CounterCache(database, redis), PhotoTrends(redis)
    states: list[PhotoCounters] = []
    for _ in range(60):
        user, photo = rng.choice(people), rng.choice(photos)
        await react(database, rng, user, photo)
        states.append(await photo_trends.counters(database, photo_id=photo.id, user_id=user.id))
    for state in rng.sample([*states, *states[::3]], k=len(states) + len(states[::3])):
        await cache.apply(state, None)
    incremental = await ranking.ranking()
    assert len(incremental) > 1

    await commands(redis).flushall()
    tasks = TrendTasks(database, ranking, None, Measured())  # type: ignore[arg-type]
    assert await tasks.rebuild_photos() >= len(incremental)
    assert await ranking.ranking() == incremental


async def test_which_likes_count(database: Database) -> None:
    """Not one's own, and not those of accounts younger than a day: then or now, a like never changes."""
    (ann, ben), new = await old_users(database, "ann", "ben"), await new_user(database, "new")
    photo = await ready_photo(database, ann)

    async def counted() -> tuple[int, int]:
        (found,) = await photo_trends.load(database, [photo.id])
        return found.likes, found.commenters

    for user, expected in ((ann, (0, 0)), (new, (0, 0)), (ben, (1, 1))):
        async with database.transaction() as tx:
            await likes.add(tx, photo_id=photo.id, user_id=user.id)
            for _ in range(2):
                await comments.add(tx, photo_id=photo.id, author_id=user.id, text="!")
        assert await counted() == expected
    for user, expected in ((new, (1, 1)), (ann, (1, 1)), (ben, (0, 1))):
        async with database.transaction() as tx:
            await likes.remove(tx, photo_id=photo.id, user_id=user.id)
        assert await counted() == expected


async def test_an_older_state_is_ignored(trends: PhotoTrends) -> None:
    """Also one of before the photo had no likes any more."""
    await trends.put([trend(1, version=3, likes=3)])
    (kept,) = await trends.ranking()
    await trends.put([trend(1, version=2, likes=9)])
    assert await trends.ranking() == [kept]
    await trends.put([trend(1, version=4, likes=0)])
    await trends.put([trend(1, version=3, likes=3)])
    assert await trends.ranking() == []


async def test_only_the_highest_are_kept(trends: PhotoTrends, redis: Any) -> None:
    """The lowest scores leave, with their versions; versions of removed photos are forgotten in the end."""
    await trends.put([trend(number) for number in range(40)])
    assert [photo_id for photo_id, _ in await trends.ranking()] == [trend(n).photo_id for n in range(39, 9, -1)]
    assert await redis.execute_command("HLEN", "trend:{photos}:versions") == 30
    await trends.put([trend(number, likes=0) for number in range(100, 140)])
    assert await redis.execute_command("HLEN", "trend:{photos}:versions") == 30
    assert len(await trends.ranking()) == 30


async def test_a_list_stays_as_it_was_when_its_reader_began(trends: PhotoTrends, clock: Clock) -> None:
    """Later pages continue it, whatever happens to the ranking; who begins a minute later reads a new one."""
    await trends.put([trend(number, author=number) for number in range(1, 11)])
    first = await trends.page(None, count=4)
    await trends.put([trend(1, author=1, version=2, likes=10**6), trend(20, author=20), trend(8, version=2, likes=0)])
    clock.now += LIST_SECONDS
    rest = await trends.page(first[-1].position, count=100)
    assert [entry.author_id for entry in [*first, *rest]] == list(range(10, 0, -1))
    assert [entry.author_id for entry in await trends.page(None, count=3)] == [1, 20, 10]
    assert await trends.page(rest[-1].position, count=3) == []


async def test_a_list_that_is_lost_is_replaced(trends: PhotoTrends, redis: Any) -> None:
    """The reader goes on at the same place of the present list."""
    await trends.put([trend(number, author=number) for number in range(1, 11)])
    first = await trends.page(None, count=4)
    await commands(redis).flushall()
    assert await trends.page(first[-1].position, count=4) == []
    await trends.put([trend(number, author=number) for number in range(1, 11)])
    assert [entry.author_id for entry in await trends.page(first[-1].position, count=2)] == [6, 5]


@pytest.mark.parametrize("seed", range(5))
async def test_photos_of_an_author_keep_their_distance(redis: Any, clock: Clock, seed: int) -> None:
    """Among 20 in a row there is one of each author; as many as possible are listed, the highest first."""
    rng = random.Random(seed)
    trends = PhotoTrends(redis, kept=1000, clock=clock)
    states = [trend(n, author=rng.choice([1, 2, rng.randrange(3, 60)]), likes=rng.randrange(1, 9)) for n in range(300)]
    await trends.put(states)
    authors = {trend.photo_id: trend.author_id for trend in states}
    ranking = [photo_id for photo_id, _ in await trends.ranking()]
    listed = [entry.photo_id for entry in await trends.page(None, count=1000)]
    expected: list[int] = []
    while True:
        near = {authors[photo_id] for photo_id in expected[1 - AUTHOR_DISTANCE :]}
        found = next((photo_id for photo_id in ranking if authors[photo_id] not in near), None)
        if found is None:
            break
        expected.append(found)
        ranking.remove(found)
    assert listed == expected
    assert len(listed) > 40


async def test_a_photo_enters_the_top_once(redis: Any) -> None:
    """It is reported when it is among the first hundred, and not again while it stays or returns."""
    trends = PhotoTrends(redis)
    (first,) = await trends.put([trend(1)])
    assert first == trend(1).photo_id
    assert await trends.put([trend(1, version=2, likes=2)]) == []
    above = [trend(number, author=number, likes=9) for number in range(100, 100 + TOP)]
    assert sorted(await trends.put(above)) == [state.photo_id for state in above]
    assert await trends.put([trend(2)]) == []
    assert await trends.put([trend(1, version=3, likes=2**40)]) == []
    assert await trends.put([trend(2, version=2, likes=2**40)]) == [trend(2).photo_id]


async def test_a_check_mends_what_changed_without_a_like(database: Database, redis: Any) -> None:
    """A photo of an account that became private leaves; more followers change the score."""
    ann, ben, cat = await old_users(database, "ann", "ben", "cat")
    trends, measured = PhotoTrends(redis), Measured()
    tasks = TrendTasks(database, trends, None, measured)  # type: ignore[arg-type]
    made = [await ready_photo(database, author) for author in (ann, ben)]
    async with database.transaction() as tx:
        for photo in made:
            await likes.add(tx, photo_id=photo.id, user_id=cat.id)
    await tasks.rebuild_photos()
    assert await tasks.check_photos() == 0
    await follow(database, cat, ann)
    async with database.transaction() as tx:
        await account_fields.update(tx, ben.id, private=True)
    (_, before), (_, _) = sorted(await trends.ranking())
    assert await tasks.check_photos() == 2
    ((photo_id, after),) = await trends.ranking()
    assert (photo_id, measured) == (made[0].id, {"photos": 1})
    assert after < before


async def test_a_rebuild_reads_no_further_than_it_must(database: Database, redis: Any) -> None:
    """Photos that are too old for any number of likes are not read once the ranking is full."""
    with in_the_past(database, days=30):
        ann, ben = await new_users(database, "ann", "ben")
    made = []
    for days in (20, 20, 1, 0, 0, 0):
        with in_the_past(database, days=days):
            made.append(await ready_photo(database, ann))
    async with database.transaction() as tx:
        for photo in made:
            await likes.add(tx, photo_id=photo.id, user_id=ben.id)
    trends = PhotoTrends(redis, kept=3)
    tasks = TrendTasks(database, trends, None, Measured(), batch=1)  # type: ignore[arg-type]
    assert await tasks.rebuild_photos() == 5  # one of the old ones shows that the others are too old
    assert [photo_id for photo_id, _ in await trends.ranking()] == [photo.id for photo in reversed(made[3:])]
