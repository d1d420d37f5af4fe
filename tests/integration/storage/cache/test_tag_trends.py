"""The ranking of tags in Redis: distinct authors in the last hours, against the days before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from storage import ids
from storage.cache.tag_trends import DAYS, HOURS, TagTrends
from storage.models import User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields
from storage.stores.discovery import tag_uses
from storage.stores.discovery.tag_uses import TaggedPhoto
from storage.trends import MIN_AUTHORS
from tests.support.community import in_the_past, new_user, old_users, ready_photo
from tests.support.driver_commands import commands
from workers.jobs.upkeep.trends import TrendTasks

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

NOW = 1_795_000_000.0
HOUR = 3600.0


class Clock:
    """A clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Measured(dict[str, int]):
    """The numbers of entries by kind."""

    def trending_measured(self, *, kind: str, entries: int) -> None:
        """Record."""
        self[kind] = entries


def used(*tags: str, author: int, hours_ago: float = 0.0) -> TaggedPhoto:
    """Return a photo with tags."""
    milliseconds = int((NOW - hours_ago * HOUR) * 1000) - ids.EPOCH_MS
    return TaggedPhoto(ids.span(timedelta(milliseconds=milliseconds)), author, list(tags))


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def trends(redis: Any, clock: Clock) -> TagTrends:
    """The ranking."""
    return TagTrends(redis, clock=clock)


async def listed(trends: TagTrends) -> list[tuple[str, int]]:
    """Return the present list."""
    return [(entry.tag, entry.authors) for entry in await trends.page(None, count=100)]


async def test_tags_are_ranked_by_what_is_unusual(trends: TagTrends) -> None:
    """Each author counts once; what is used as much every day, or by few, does not trend, and what is excluded."""
    photos = [used("rare", "spam", author=n) for n in range(MIN_AUTHORS)]
    photos += [used("few", author=n) for n in range(MIN_AUTHORS - 1) for _ in range(3)]
    photos += [used("usual", author=n, hours_ago=24 * day) for day in range(DAYS + 1) for n in range(8)]
    photos += [used("double", author=n, hours_ago=24 * day) for day in range(1, DAYS + 1) for n in range(6)]
    photos += [used("double", author=n, hours_ago=n % HOURS) for n in range(12)]
    for _ in range(2):
        await trends.record(photos)
    assert await trends.rank(excluded=["spam"]) == 2
    assert await listed(trends) == [("rare", 5), ("double", 12)]


async def test_other_hours_do_not_count(trends: TagTrends, clock: Clock) -> None:
    """Neither those before the last hours nor others of the days before; after some hours a tag trends no more."""
    await trends.record([used("noon", author=n, hours_ago=hours) for n in range(9) for hours in (0, 24 + HOURS, 12)])
    await trends.rank()
    assert await listed(trends) == [("noon", 9)]
    clock.now += HOURS * HOUR
    await trends.rank()
    assert await listed(trends) == []


async def test_a_list_stays_as_it_was_when_its_reader_began(trends: TagTrends, clock: Clock, redis: Any) -> None:
    """Later pages continue it; without it, the present one."""
    assert await trends.page(None, count=5) == []
    await trends.record([used(*(f"t{rank}" for rank in range(n % 8)), author=n) for n in range(80)])
    await trends.rank()
    first = await trends.page(None, count=3)
    assert [entry.tag for entry in first] == ["t0", "t1", "t2"]
    clock.now += 60
    await trends.rank(excluded=["t1"])
    rest = await trends.page(first[-1].position, count=100)
    assert [entry.tag for entry in rest] == ["t3", "t4", "t5", "t6"]
    assert await trends.page(rest[-1].position, count=100) == []
    await redis.execute_command("DEL", f"trend:{{tags}}:list:{int(NOW // 60)}")
    assert [entry.tag for entry in await trends.page(first[-1].position, count=100)] == ["t4", "t5", "t6"]


async def tag(database: Database, authors: list[User], *tags: str, **fields: Any) -> list[int]:
    """Let each author share a photo; return the ids."""
    return [(await ready_photo(database, author, tags=tags, **fields)).id for author in authors]


async def test_lost_counts_are_built_again(database: Database, redis: Any) -> None:
    """From public photos of accounts that were a day old; what was counted as it happened is the same."""
    names = [f"user{n}" for n in range(MIN_AUTHORS + 2)]
    authors, new = await old_users(database, *names), await new_user(database, "new")
    async with database.transaction() as tx:
        await account_fields.update(tx, authors[-1].id, private=True)
    with in_the_past(database, days=20):
        await tag(database, [new], "old")
    # A tag in a caption is a use of it, too.
    made = [*await tag(database, [*authors, new], "sea", caption="the #Sky"), *await tag(database, authors[:2], "sea")]
    trends, measured = TagTrends(redis), Measured()
    for photo_id in made:
        await trends.record(await tag_uses.of_photo(database, photo_id))
    await trends.rank()
    expected = [("sea", MIN_AUTHORS + 1), ("sky", MIN_AUTHORS + 1)]
    assert await listed(trends) == expected

    await commands(redis).flushall()
    tasks = TrendTasks(database, _complete(redis), trends, measured, batch=3)
    assert await tasks.restore() == len(made) - 2
    assert (await listed(trends), measured) == (expected, {"tags": 2})
    assert await tasks.restore() == 0


def _complete(redis: Any) -> Any:
    """Return a ranking of photos that was not lost."""

    class Complete:
        async def is_complete(self) -> bool:
            return True

    del redis
    return Complete()
