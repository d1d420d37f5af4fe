"""Feeds that follow the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.cache.cards import Cards
from storage.feeds.feeds import Feeds
from storage.feeds.log_format import AT_HEADER
from storage.postgres.database import Database
from storage.stores import relations
from tests.support.databases import NoDatabase
from tests.support.driver_commands import commands
from tests.support.gallery import Gallery
from tests.support.listener import Listener

LONG_PAST = 10**15  # an epoch

pytestmark = pytest.mark.engines


@pytest.fixture
def gallery(database: Database) -> Gallery:
    """People and photos."""
    return Gallery(database)


@pytest.fixture
def feeds(database: Database, redis: Any) -> Feeds:
    """Feeds with a window of 20."""
    return Feeds(database, redis, Cards(database, redis), delivery_script(redis), window=20)


async def ids_of(feeds: Feeds, person: int) -> list[int]:
    """Return a feed's ids, newest first."""
    await feeds.ensure(person)
    view = await feeds.log.read(person)
    assert view is not None
    assert not view.building
    return [entry.id for entry in reversed(view.entries) if not entry.removed]


async def test_feed_is_built_from_the_database(feeds: Feeds, gallery: Gallery) -> None:
    """A feed that is missing is built of the photos of those followed and the owner's own, and of nobody else's."""
    ann, bob, cat = [await gallery.person() for _ in range(3)]
    await gallery.follow(ann, bob)
    await gallery.photo(cat)
    await gallery.photo(bob, ready=False)
    photos = [await gallery.photo(author) for author in (bob, ann, bob)]
    assert await ids_of(feeds, ann) == photos[::-1]
    view = await feeds.log.read(ann)
    assert view is not None
    assert view.complete


async def test_many_readers_build_once(feeds: Feeds, gallery: Gallery, redis: Any) -> None:
    """Many who ask for the position of a missing feed all get the position of the one that is built."""
    ann = await gallery.person()
    mine = await gallery.photo(ann)
    positions = await asyncio.gather(*(feeds.position(ann) for _ in range(20)))
    assert len(set(positions)) == 1
    assert await ids_of(feeds, ann) == [mine]


async def test_another_process_waits_for_the_builder(
    feeds: Feeds, gallery: Gallery, database: Database, redis: Any
) -> None:
    """Who finds a feed being built elsewhere waits until it stands, and does not build another."""
    ann = await gallery.person()
    mine = await gallery.photo(ann)
    building = await feeds.log.begin(ann)
    elsewhere = Feeds(database, redis, Cards(database, redis), delivery_script(redis), window=20)
    waiting = asyncio.create_task(ids_of(elsewhere, ann))
    assert await feeds.position(ann) == (str(building.epoch), building.epoch)
    await feeds.log.fill(ann, building, [mine], complete=True)
    assert await waiting == [mine]


async def test_recovery_tells_what_came(feeds: Feeds, gallery: Gallery) -> None:
    """From a position one is told what was inserted and removed since, once, and the new position."""
    ann, bob = await gallery.person(), await gallery.person()
    await gallery.follow(ann, bob)
    epoch, offset = await feeds.position(ann)
    first, second = await gallery.photo(bob), await gallery.photo(bob)
    for photo in (first, second):
        await feeds.insert(photo, [ann], b"body")
    await feeds.remove(first, [ann], b"body")
    delta = await feeds.since(ann, epoch, offset)
    assert delta is not None
    assert [(entry.id, entry.removed) for entry in delta.entries] == [(second, False), (first, True)]
    assert delta.position == (epoch, delta.entries[-1].offset)
    again = await feeds.since(ann, *delta.position)
    assert again is not None
    assert not again.entries
    assert await feeds.since(ann, "another", offset) is None


async def test_rebuild_changes_the_epoch(feeds: Feeds, gallery: Gallery) -> None:
    """After a rebuild nobody recovers from before it, and what it holds is what the database says."""
    ann, bob = await gallery.person(), await gallery.person()
    await gallery.follow(ann, bob)
    epoch, offset = await feeds.position(ann)
    missed = await gallery.photo(bob)
    await feeds.discard(ann)
    assert await ids_of(feeds, ann) == [missed]
    assert await feeds.since(ann, epoch, offset) is None


async def test_everything_is_back_after_redis_lost_all(feeds: Feeds, gallery: Gallery, redis: Any) -> None:
    """When Redis has lost all it had, feeds are built again on their next read, and old positions are refused."""
    ann = await gallery.person()
    mine = await gallery.photo(ann)
    epoch, offset = await feeds.position(ann)
    await commands(redis).flushall()
    await commands(redis).script_flush()
    assert await feeds.since(ann, epoch, offset) is None
    assert await ids_of(feeds, ann) == [mine]


async def test_deleted_photo_is_not_inserted(feeds: Feeds, gallery: Gallery, database: Database, redis: Any) -> None:
    """A photo whose tombstone stands goes into no feed, even where the removal was never seen."""
    ann = await gallery.person()
    await feeds.ensure(ann)
    photo = await gallery.photo(ann)
    await Cards(database, redis).tombstone(photo)
    assert (await feeds.insert(photo, [ann], b"body")).feeds == 0
    assert await ids_of(feeds, ann) == []


async def test_follow_and_unfollow(feeds: Feeds, gallery: Gallery) -> None:
    """Following merges an author's photos into the feed, unfollowing takes them out, without an announcement."""
    ann, bob = await gallery.person(), await gallery.person()
    theirs, mine = await gallery.photo(bob), await gallery.photo(ann)
    epoch, offset = await feeds.position(ann)
    await gallery.follow(ann, bob)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == [mine, theirs]
    await gallery.unfollow(ann, bob)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == [mine]
    delta = await feeds.since(ann, epoch, offset)
    assert delta is not None
    assert not delta.entries


async def test_events_out_of_order_do_not_matter(feeds: Feeds, gallery: Gallery) -> None:
    """What counts is how two people stand now: a late event of a follow that is over merges nothing, and vice versa."""
    ann, bob = await gallery.person(), await gallery.person()
    theirs = await gallery.photo(bob)
    await feeds.ensure(ann)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == []
    await gallery.follow(ann, bob)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == [theirs]


async def test_unfollow_overtakes_a_photo(feeds: Feeds, gallery: Gallery, redis: Any) -> None:
    """A photo on its way to followers who were read a moment ago does not reach who has unfollowed since."""
    ann, bob, cat = [await gallery.person() for _ in range(3)]
    for follower in (ann, cat):
        await gallery.follow(follower, bob)
        await feeds.ensure(follower)
    photo = await gallery.photo(bob)
    followers = [ann, bob, cat]
    await gallery.unfollow(ann, bob)
    await feeds.align_author(ann, bob)
    live = Listener(redis, b"process1")
    await live.listen(ann, cat)
    inserted = await feeds.insert(photo, followers, b"body")
    assert [person for message in await live.received() for person in message.user_ids] == [cat]
    assert (inserted.feeds, inserted.online) == (1, 1)
    assert await ids_of(feeds, ann) == []
    assert await ids_of(feeds, cat) == [photo]
    await live.close()


async def test_feed_built_after_the_followers_were_read(feeds: Feeds, gallery: Gallery) -> None:
    """A feed that was built after an unfollow does not get the photo that was on its way before it."""
    ann, bob = await gallery.person(), await gallery.person()
    photo = await gallery.photo(bob)
    await feeds.ensure(ann)
    await feeds.insert(photo, [ann], b"body")
    assert await ids_of(feeds, ann) == []


async def test_settled_feeds_are_not_looked_at_twice(gallery: Gallery, database: Database, redis: Any) -> None:
    """A feed that nobody edited for a while costs an insertion no query."""
    ann, bob = await gallery.person(), await gallery.person()
    feeds = Feeds(database, redis, Cards(database, redis), delivery_script(redis))
    await feeds.ensure(ann)
    await commands(redis).setrange(
        feeds.log.key(ann), AT_HEADER + 24, (10**15).to_bytes(8, "big")
    )  # an epoch long past
    photo = await gallery.photo(bob)
    without_queries = Feeds(NoDatabase(), redis, Cards(NoDatabase(), redis), delivery_script(redis))
    assert (await without_queries.insert(photo, [ann], b"body")).feeds == 1


class CountedInsertions:
    """Metrics that add up the insertions."""

    def __init__(self) -> None:
        """Start at zero."""
        self.count = 0

    def feeds_inserted(self, count: int) -> None:
        """Add insertions."""
        self.count += count


async def test_insertions_are_counted(gallery: Gallery, database: Database, redis: Any) -> None:
    """Metrics receive the number of feeds that changed, those included whose followers were read again."""
    metrics = CountedInsertions()
    feeds = Feeds(database, redis, Cards(database, redis), delivery_script(redis), metrics=metrics)
    ann, bob, cat = await gallery.person(), await gallery.person(), await gallery.person()
    await gallery.follow(ann, bob)
    await feeds.ensure(ann)
    await feeds.ensure(bob)
    photo = await gallery.photo(bob)
    for _ in range(2):
        await feeds.insert(photo, [ann, bob, cat], b"body")
    assert metrics.count == 2


async def test_slow_worker_is_put_right(feeds: Feeds, gallery: Gallery, database: Database, redis: Any) -> None:
    """A worker that merges an author whom another has dropped meanwhile notices, and drops as well."""
    ann, bob = await gallery.person(), await gallery.person()
    await gallery.photo(bob)
    await gallery.follow(ann, bob)
    await feeds.ensure(ann)

    async def unfollow() -> None:
        await gallery.unfollow(ann, bob)
        await feeds.align_author(ann, bob)

    slow = Feeds(Meanwhile(database, unfollow), redis, Cards(database, redis), delivery_script(redis), window=20)
    await slow.align_author(ann, bob)
    assert await ids_of(feeds, ann) == []


class Meanwhile:
    """A database where something happens between the first answer and its use."""

    def __init__(self, database: Database, happens: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._happens: Callable[[], Awaitable[None]] | None = happens

    async def fetch(self, sql: str, *args: object) -> Any:
        """Answer, and let it happen if this is the first answer."""
        return await self._then(await self._database.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """Answer, and let it happen if this is the first answer."""
        return await self._then(await self._database.fetchrow(sql, *args))

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Answer, and let it happen if this is the first answer."""
        return await self._then(await self._database.fetchval(sql, *args))

    async def _then(self, answer: Any) -> Any:
        happens, self._happens = self._happens, None
        if happens is not None:
            await happens()
        return answer


async def test_muted_people_leave_the_feed(feeds: Feeds, gallery: Gallery, database: Database) -> None:
    """A muted person's photos leave the feed although the follow stands, and come back afterwards."""
    ann, bob = await gallery.person(), await gallery.person()
    await gallery.follow(ann, bob)
    theirs = await gallery.photo(bob)
    await feeds.ensure(ann)
    async with database.transaction() as tx:
        await relations.mute(tx, ann, bob)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == []
    async with database.transaction() as tx:
        await relations.unmute(tx, ann, bob)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == [theirs]


async def test_follow_while_the_feed_is_being_built(feeds: Feeds, gallery: Gallery) -> None:
    """A follow that lands between the builder's read of the database and its end is in the feed."""
    ann, bob = await gallery.person(), await gallery.person()
    theirs = await gallery.photo(bob)
    building = await feeds.log.begin(ann)
    read_before_the_follow: list[int] = []
    await gallery.follow(ann, bob)
    await feeds.align_author(ann, bob)
    filled, _ = await feeds.log.fill(ann, building, read_before_the_follow, complete=True)
    assert filled.name == "CHANGED"
    await feeds.log.discard(ann)
    assert await ids_of(feeds, ann) == [theirs]
