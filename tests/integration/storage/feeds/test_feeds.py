"""Feeds stay consistent with the database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.cache.cards import Cards
from storage.feeds.feeds import Feeds
from storage.postgres.database import Database
from storage.stores.social import blocks
from tests.support.databases import NoDatabase
from tests.support.driver_commands import commands
from tests.support.gallery import Gallery
from tests.support.listener import Listener
from tests.support.meanwhile import Meanwhile
from tests.support.window_logs import set_edited

pytestmark = pytest.mark.engines


@pytest.fixture
def gallery(database: Database) -> Gallery:
    """Users and photos."""
    return Gallery(database)


@pytest.fixture
def feeds(database: Database, redis: Any) -> Feeds:
    """Feeds with a window of 20."""
    return Feeds(database, redis, Cards(database, redis), delivery_script(redis), window=20)


async def ids_of(feeds: Feeds, user_id: int) -> list[int]:
    """Return a feed's ids, newest first."""
    await feeds.ensure(user_id)
    view = await feeds.log.read(user_id)
    assert view is not None
    assert not view.building
    return [entry.id for entry in reversed(view.entries) if not entry.removed]


async def test_feed_is_built_from_the_database(feeds: Feeds, gallery: Gallery) -> None:
    """A missing feed is built from the photos of followed authors and the viewer's own, and no others."""
    ann, bob, cat = [await gallery.user() for _ in range(3)]
    await gallery.follow(ann, bob)
    await gallery.photo(cat)
    await gallery.photo(bob, ready=False)
    photos = [await gallery.photo(author) for author in (bob, ann, bob)]
    assert await ids_of(feeds, ann) == photos[::-1]
    view = await feeds.log.read(ann)
    assert view is not None
    assert view.complete


async def test_many_readers_build_once(feeds: Feeds, gallery: Gallery, redis: Any) -> None:
    """Concurrent readers of a missing feed all get the position of the one that is built."""
    ann = await gallery.user()
    mine = await gallery.photo(ann)
    positions = await asyncio.gather(*(feeds.position(ann) for _ in range(20)))
    assert len(set(positions)) == 1
    assert await ids_of(feeds, ann) == [mine]


async def test_another_process_waits_for_the_builder(
    feeds: Feeds, gallery: Gallery, database: Database, redis: Any
) -> None:
    """A process that finds a feed being built elsewhere waits for it and does not build another."""
    ann = await gallery.user()
    mine = await gallery.photo(ann)
    building = await feeds.log.begin(ann)
    elsewhere = Feeds(database, redis, Cards(database, redis), delivery_script(redis), window=20)
    waiting = asyncio.create_task(ids_of(elsewhere, ann))
    assert await feeds.position(ann) == (str(building.epoch), building.epoch)
    await feeds.log.fill(ann, building, [mine], complete=True)
    assert await waiting == [mine]


async def test_recovery(feeds: Feeds, gallery: Gallery) -> None:
    """A delta has what was inserted and removed since a position, once, and the new position."""
    ann, bob = await gallery.user(), await gallery.user()
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
    """After a rebuild old positions are unknown, and the feed has what the database has."""
    ann, bob = await gallery.user(), await gallery.user()
    await gallery.follow(ann, bob)
    epoch, offset = await feeds.position(ann)
    missed = await gallery.photo(bob)
    await feeds.discard(ann)
    assert await ids_of(feeds, ann) == [missed]
    assert await feeds.since(ann, epoch, offset) is None


async def test_feeds_are_rebuilt_after_a_loss_of_redis_data(feeds: Feeds, gallery: Gallery, redis: Any) -> None:
    """After Redis has lost all data, feeds are built at their next read, and old positions are unknown."""
    ann = await gallery.user()
    mine = await gallery.photo(ann)
    epoch, offset = await feeds.position(ann)
    await commands(redis).flushall()
    await commands(redis).script_flush()
    assert await feeds.since(ann, epoch, offset) is None
    assert await ids_of(feeds, ann) == [mine]


async def test_deleted_photo_is_not_inserted(feeds: Feeds, gallery: Gallery, database: Database, redis: Any) -> None:
    """A photo with a tombstone is not inserted into any feed, even if its removal never arrived."""
    ann = await gallery.user()
    await feeds.ensure(ann)
    photo = await gallery.photo(ann)
    await Cards(database, redis).tombstone(photo)
    assert (await feeds.insert(photo, [ann], b"body")).feeds == 0
    assert await ids_of(feeds, ann) == []


async def test_follow_and_unfollow(feeds: Feeds, gallery: Gallery) -> None:
    """A follow merges an author's photos into the feed and an unfollow drops them, without publication."""
    ann, bob = await gallery.user(), await gallery.user()
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
    """The present relation counts: a late event of an ended follow merges nothing, and vice versa."""
    ann, bob = await gallery.user(), await gallery.user()
    theirs = await gallery.photo(bob)
    await feeds.ensure(ann)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == []
    await gallery.follow(ann, bob)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == [theirs]


async def test_unfollow_overtakes_a_photo(feeds: Feeds, gallery: Gallery, redis: Any) -> None:
    """A photo on its way to followers read earlier does not reach users who have unfollowed since."""
    ann, bob, cat = [await gallery.user() for _ in range(3)]
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
    assert [user_id for message in await live.received() for user_id in message.user_ids] == [cat]
    assert (inserted.feeds, inserted.online) == (1, 1)
    assert await ids_of(feeds, ann) == []
    assert await ids_of(feeds, cat) == [photo]
    await live.close()


async def test_feed_built_after_the_followers_were_read(feeds: Feeds, gallery: Gallery) -> None:
    """A feed built after an unfollow does not get a photo that was on its way before it."""
    ann, bob = await gallery.user(), await gallery.user()
    photo = await gallery.photo(bob)
    await feeds.ensure(ann)
    await feeds.insert(photo, [ann], b"body")
    assert await ids_of(feeds, ann) == []


async def test_insertion_without_recent_edits_needs_no_query(gallery: Gallery, database: Database, redis: Any) -> None:
    """An insertion into feeds without recent edits needs no query."""
    ann, bob = await gallery.user(), await gallery.user()
    feeds = Feeds(database, redis, Cards(database, redis), delivery_script(redis))
    await feeds.ensure(ann)
    await set_edited(redis, feeds.log, ann, 1)  # long past
    photo = await gallery.photo(bob)
    without_queries = Feeds(NoDatabase(), redis, Cards(NoDatabase(), redis), delivery_script(redis))
    assert (await without_queries.insert(photo, [ann], b"body")).feeds == 1


class CountedInsertions:
    """Metrics that add up insertions."""

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
    ann, bob, cat = await gallery.user(), await gallery.user(), await gallery.user()
    await gallery.follow(ann, bob)
    await feeds.ensure(ann)
    await feeds.ensure(bob)
    photo = await gallery.photo(bob)
    for _ in range(2):
        await feeds.insert(photo, [ann, bob, cat], b"body")
    assert metrics.count == 2


async def test_concurrent_merge_and_drop(feeds: Feeds, gallery: Gallery, database: Database, redis: Any) -> None:
    """A worker that merges an author while another drops the author reads the relation again and drops, too."""
    ann, bob = await gallery.user(), await gallery.user()
    await gallery.photo(bob)
    await gallery.follow(ann, bob)
    await feeds.ensure(ann)

    async def unfollow() -> None:
        await gallery.unfollow(ann, bob)
        await feeds.align_author(ann, bob)

    slow = Feeds(Meanwhile(database, unfollow), redis, Cards(database, redis), delivery_script(redis), window=20)
    await slow.align_author(ann, bob)
    assert await ids_of(feeds, ann) == []


async def test_muted_authors_leave_the_feed(feeds: Feeds, gallery: Gallery, database: Database) -> None:
    """A muted author's photos leave the feed although the follow remains, and come back afterwards."""
    ann, bob = await gallery.user(), await gallery.user()
    await gallery.follow(ann, bob)
    theirs = await gallery.photo(bob)
    await feeds.ensure(ann)
    async with database.transaction() as tx:
        await blocks.mute(tx, ann, bob)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == []
    async with database.transaction() as tx:
        await blocks.unmute(tx, ann, bob)
    await feeds.align_author(ann, bob)
    assert await ids_of(feeds, ann) == [theirs]


async def test_follow_while_the_feed_is_being_built(feeds: Feeds, gallery: Gallery) -> None:
    """A follow between the builder's read of the database and its end is in the feed."""
    ann, bob = await gallery.user(), await gallery.user()
    theirs = await gallery.photo(bob)
    building = await feeds.log.begin(ann)
    read_before_the_follow: list[int] = []
    await gallery.follow(ann, bob)
    await feeds.align_author(ann, bob)
    filled, _ = await feeds.log.fill(ann, building, read_before_the_follow, complete=True)
    assert filled.name == "CHANGED"
    await feeds.log.discard(ann)
    assert await ids_of(feeds, ann) == [theirs]
