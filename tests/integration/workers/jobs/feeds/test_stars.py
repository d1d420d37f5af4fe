"""Stars: photos that feeds pull, promotion and demotion, and changes of who follows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from server.operation.metrics import Metrics
from storage import events
from storage.events import PhotoReady, StarChunk
from storage.feeds.log_format import LogView
from storage.models import Photo, PhotoAudience, StarState, User
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.photos import photo_audience, photo_deletion, photo_processing
from storage.stores.social import blocks, close_friends, follows, stars
from tests.support.community import follow, new_user, new_users, processing_photo, ready_photo
from tests.support.driver_commands import commands
from tests.support.meanwhile import Meanwhile
from tests.support.stage import Stage
from workers.jobs.feeds.stars import Stars

pytestmark = pytest.mark.engines

GROUPS = 16


@pytest.fixture
async def stage(database: Database, redis: Any) -> AsyncIterator[Stage]:
    """The workers, for which three followers make a star; chunks have two."""
    stage = Stage(database, redis, chunk=2, star_followers=3)
    await stage.open()
    yield stage
    await stage.close()


async def followed_author(stage: Stage, size: int) -> tuple[User, list[User]]:
    """Create an author, and connected followers."""
    author = await new_user(stage.database, "ann")
    followers = [await new_user(stage.database, f"follower{number}") for number in range(size)]
    for follower in followers:
        await follow(stage.database, follower, author)
    await stage.pump()
    await stage.online(author, *followers)
    return author, followers


async def star(stage: Stage, size: int = 4) -> tuple[User, list[User]]:
    """Create a star; the first photo promotes an author with enough followers."""
    author, followers = await followed_author(stage, size)
    await post(stage, author)
    assert await state_of(stage, author) is StarState.STAR
    await stage.deliveries()
    return author, followers


async def post(stage: Stage, author: User) -> Photo:
    """Post a photo, and have the workers handle it."""
    photo = await ready_photo(stage.database, author)
    await stage.pump()
    return photo


async def delete(stage: Stage, photo: Photo) -> None:
    """Delete a photo, and have the workers handle it."""
    async with stage.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=photo.author.id)
    await stage.pump()


async def unfollow(stage: Stage, follower: User, author: User) -> None:
    """Unfollow, and have the workers handle it."""
    async with stage.database.transaction() as tx:
        await follows.unfollow(tx, follower.id, author.id)
    await stage.pump()


async def state_of(stage: Stage, author: User) -> StarState | None:
    """Return the state of a star."""
    return (await stars.standing(stage.database, author.id)).state


async def stored(stage: Stage, user: User) -> list[int]:
    """Return the ids in a feed as it is in Redis, without a pull."""
    view = LogView.parse(await commands(stage.redis).get(stage.feeds.log.key(user.id)))
    return [entry.id for entry in view.entries if not entry.removed]


async def test_a_photo_is_announced_once_and_pulled(stage: Stage) -> None:
    """A star's photo is in no follower's feed until that is read; connected ones get one message a slot group."""
    ann, followers = await star(stage)
    photo = await post(stage, ann)
    assert photo.id in await stored(stage, ann)
    for follower in followers:
        assert photo.id not in await stored(stage, follower)
        assert await stage.feed(follower) == await stage.feed(ann)
        assert photo.id in await stored(stage, follower)
    announced = [message for message in await stage.deliveries(ann) if message.document["type"] == "photo.new"]
    assert len(announced) == GROUPS + 1  # and the message to the author's own connections


async def test_a_promotion_goes_unnoticed(stage: Stage) -> None:
    """Followers recover from positions of before it, with every photo once; none has to read again."""
    ann, followers = await followed_author(stage, 4)
    before = {follower.id: await stage.feeds.position(follower.id) for follower in followers}
    posted = [(await post(stage, ann)).id for _ in range(3)]
    assert await state_of(stage, ann) is StarState.STAR
    for follower in followers:
        recovered = await stage.feeds.since(follower.id, *before[follower.id])
        assert recovered is not None
        assert [entry.id for entry in recovered.entries] == posted


async def test_a_demotion_goes_unnoticed(stage: Stage) -> None:
    """What was announced is pulled before the lists go; later photos are inserted into the feeds."""
    ann, followers = await star(stage)
    before = {follower.id: await stage.feeds.position(follower.id) for follower in followers}
    posted = [await post(stage, ann)]
    for former in followers[2:]:
        await unfollow(stage, former, ann)
    posted.append(await post(stage, ann))  # announced, and then the demotion begins
    assert await state_of(stage, ann) is None
    for follower in followers[:2]:
        assert posted[1].id in await stored(stage, follower)
    posted.append(await post(stage, ann))
    for follower in followers[:2]:
        assert posted[2].id in await stored(stage, follower)
        recovered = await stage.feeds.since(follower.id, *before[follower.id])
        assert recovered is not None
        assert [entry.id for entry in recovered.entries] == [photo.id for photo in posted]
    assert await commands(stage.redis).keys("star:*") == []
    assert await commands(stage.redis).keys("stars:*") == []


async def test_deletions(stage: Stage) -> None:
    """Announced photos and those from before the promotion leave the feeds; offline clients recover the removals."""
    ann, followers = await followed_author(stage, 4)
    old, new = await post(stage, ann), await post(stage, ann)
    before = {follower.id: await stage.feeds.position(follower.id) for follower in followers}
    for photo in (old, new):
        await delete(stage, photo)
    for follower in followers:
        recovered = await stage.feeds.since(follower.id, *before[follower.id])
        assert recovered is not None
        assert [(entry.id, entry.removed) for entry in recovered.entries] == [(old.id, True), (new.id, True)]
        assert await stage.feed(follower) == []


async def test_a_deletion_before_the_pull(stage: Stage) -> None:
    """A photo that was deleted before a feed was read is not in it, also after a late announcement."""
    ann, followers = await star(stage)
    photo = await post(stage, ann)
    standing = await stars.standing(stage.database, ann.id)
    await delete(stage, photo)
    assert await stage.stars.announce(photo.id, ann.id, standing, b"late")
    assert all([photo.id not in await stage.feed(follower) for follower in followers])


async def test_audiences(stage: Stage) -> None:
    """A star's photo for close friends is announced to none; one that was announced leaves feeds that did not pull."""
    ann, followers = await star(stage)
    friend, *others = followers
    async with stage.database.transaction() as tx:
        await close_friends.add(tx, ann.id, friend.id)
    await stage.pump()
    first = {user.id: await stage.feed(user) for user in followers}
    announced = await post(stage, ann)
    await stage.feed(others[0])  # has pulled it before
    restricted = await ready_photo(stage.database, ann, audience=PhotoAudience.CLOSE_FRIENDS)
    await stage.pump()
    for audience, readers in (
        (PhotoAudience.CLOSE_FRIENDS, [friend]),
        (PhotoAudience.FOLLOWERS, followers),
        (PhotoAudience.ONLY_ME, []),
        (PhotoAudience.PUBLIC, followers),
    ):
        async with stage.database.transaction() as tx:
            await photo_audience.change(tx, announced.id, author_id=ann.id, audience=audience)
        await stage.pump()
        for user in followers:
            seen = [restricted.id] * (user is friend) + [announced.id] * (user in readers) + first[user.id]
            assert await stage.feed(user) == seen, (audience, user.username)


async def test_a_late_photo_from_before_the_promotion(stage: Stage) -> None:
    """It is inserted into the feeds, whenever it is ready: a repeated event must not announce it, too."""
    ann, followers = await followed_author(stage, 4)
    late = await processing_photo(stage.database, ann)
    await post(stage, ann)
    assert await state_of(stage, ann) is StarState.STAR
    async with stage.database.transaction() as tx:
        await photo_processing.mark_ready(tx, late.id, width=1, height=1, placeholder=None, exif=None)
    await stage.pump()
    for follower in followers:
        assert late.id in await stored(stage, follower)


async def test_announcements_are_measured(database: Database, redis: Any) -> None:
    """Each announcement of a photo or removal that the logs have a place for is counted, with its duration."""
    metrics = Metrics()
    stage = Stage(database, redis, chunk=2, star_followers=3, star_metrics=metrics)
    await stage.open()
    ann, _ = await star(stage)
    for expected in (1, 2):
        posted = await post(stage, ann)
        assert metrics.registry.get_sample_value("picshare_star_announcements_total") == expected
        assert metrics.registry.get_sample_value("picshare_star_announcement_seconds_count") == expected
    await delete(stage, posted)
    assert metrics.registry.get_sample_value("picshare_star_announcements_total") == 3
    standing = await stars.standing(database, ann.id)
    for number in range(1, 150):
        await stage.feeds.star_logs.announce(ann.id, posted.id + number, b"body")
    assert not await stage.stars.remove(standing.since_id or 0, ann.id, standing, b"body")
    assert metrics.registry.get_sample_value("picshare_star_announcement_seconds_count") == 3
    assert metrics.registry.get_sample_value("picshare_star_change_seconds_count", {"change": "promotion"}) == 1
    await stage.close()


async def test_a_photo_below_the_window_of_a_star(stage: Stage) -> None:
    """A removal for which the star's log has no place is inserted into the feeds; no feed has to be built again."""
    ann, followers = await star(stage)
    oldest = await post(stage, ann)
    standing = await stars.standing(stage.database, ann.id)
    for number in range(1, 150):
        assert await stage.feeds.star_logs.announce(ann.id, oldest.id + number, b"body")
    assert not await stage.stars.remove(oldest.id, ann.id, standing, b"body")
    epochs = [(await stage.feeds.position(follower.id)).epoch for follower in followers]
    await delete(stage, oldest)
    assert [(await stage.feeds.position(follower.id)).epoch for follower in followers] == epochs
    assert all([oldest.id not in await stage.feed(follower) for follower in followers])


async def test_followers_come_and_go(stage: Stage) -> None:
    """A new follower has the star's photos and gets the next; after an unfollow, mute or block neither."""
    ann, (bob, cat, dan, eve, *_) = await star(stage, size=6)
    fay = await new_user(stage.database, "fay")
    await stage.online(fay)
    first = await post(stage, ann)
    await follow(stage.database, fay, ann)
    await stage.pump()
    assert first.id in await stage.feed(fay)
    await unfollow(stage, bob, ann)
    async with stage.database.transaction() as tx:
        await blocks.mute(tx, cat.id, ann.id)
        await blocks.block(tx, dan.id, ann.id)
        await blocks.block(tx, ann.id, eve.id)
    await stage.pump()
    second = await post(stage, ann)
    assert await state_of(stage, ann) is StarState.STAR
    assert {first.id, second.id} <= set(await stage.feed(fay))
    for former in (bob, cat, dan, eve):
        assert await stage.feed(former) == []
        assert not await stage.feeds.stars_of(former.id)
    async with stage.database.transaction() as tx:
        await blocks.unmute(tx, cat.id, ann.id)
    await stage.pump()
    assert {first.id, second.id} <= set(await stage.feed(cat))


async def test_photos_for_a_part_of_the_followers(stage: Stage) -> None:
    """A photo for close friends is not announced; one that was announced disappears with its audience, and returns."""
    ann, followers = await star(stage)
    friend, *others = followers
    async with stage.database.transaction() as tx:
        await close_friends.add(tx, ann.id, friend.id)
    await stage.pump()
    secret = await ready_photo(stage.database, ann, audience=PhotoAudience.CLOSE_FRIENDS)
    await stage.pump()
    announced = await post(stage, ann)
    for audience, readers in (
        (PhotoAudience.CLOSE_FRIENDS, [friend]),
        (PhotoAudience.PUBLIC, followers),
        (PhotoAudience.ONLY_ME, []),
        (PhotoAudience.FOLLOWERS, followers),
    ):
        async with stage.database.transaction() as tx:
            await photo_audience.change(tx, announced.id, author_id=ann.id, audience=audience)
        await stage.pump()
        assert [user for user in followers if announced.id in await stage.feed(user)] == readers
    assert secret.id in await stage.feed(friend)
    assert all([secret.id not in await stage.feed(other) for other in others])


async def test_following_a_star_builds_no_feed_again(stage: Stage) -> None:
    """A feed keeps its epoch when its owner follows a star whose log has forgotten announcements."""
    ann, _ = await star(stage)
    for number in range(1, 150):
        await stage.feeds.star_logs.announce(ann.id, number, b"body")
    fay = await new_user(stage.database, "fay")
    await stage.online(fay)
    epoch, _ = await stage.feeds.position(fay.id)
    await follow(stage.database, fay, ann)
    await stage.pump()
    assert (await stage.feeds.position(fay.id)).epoch == epoch


async def test_a_pull_is_not_repeated(stage: Stage) -> None:
    """The list of a feed has the offset up to which everything was pulled."""
    ann, (bob, *_) = await star(stage)
    await post(stage, ann)
    await stage.feed(bob)
    heads = b"starheads:{%d}" % (bob.id % 1024 // 64)
    lists = await commands(stage.redis).get(b"stars:{%d}:%d" % (bob.id % 1024 // 64, bob.id))
    assert lists is not None
    assert lists[:8] == await commands(stage.redis).hget(heads, "*")


async def test_the_connections_of_followers_know_their_stars(stage: Stage) -> None:
    """Each change of who follows a star is sent to the follower's connections, once the feed has it."""
    ann, followers = await followed_author(stage, 3)
    await stage.deliveries()
    await post(stage, ann)
    orders = [message for message in await stage.deliveries() if "star" in message.body]
    assert {(order.user_id, order.body["control"]) for order in orders} == {(user.id, "star") for user in followers}
    await unfollow(stage, followers[0], ann)
    (order,) = [message for message in await stage.deliveries(followers[0]) if "star" in message.body]
    assert (order.body["control"], order.body["star"]) == ("unstar", ann.id)


async def test_an_announcement_that_a_demotion_overtook(stage: Stage) -> None:
    """A photo that was announced after the feeds had been served by a demotion is inserted, too."""
    ann, followers = await star(stage)
    standing = await stars.standing(stage.database, ann.id)
    for former in followers[2:]:
        await unfollow(stage, former, ann)
    await post(stage, ann)
    assert await state_of(stage, ann) is None
    late = await ready_photo(stage.database, ann)
    assert not await stage.stars.announce(late.id, ann.id, standing, b"body")
    assert not await stage.stars.remove(late.id, ann.id, standing, b"body")


async def test_a_follower_who_leaves_during_the_promotion(stage: Stage) -> None:
    """A user who unfollows after the chunk's followers were read does not keep the star in the list."""
    ann, followers = await followed_author(stage, 3)
    async with stage.database.transaction() as tx:
        await stars.begin(tx, ann.id, StarState.PROMOTING, after=await stars.standing(stage.database, ann.id))
    change = (await stars.standing(stage.database, ann.id)).change_id

    async def leave() -> None:
        for follower in followers:
            async with stage.database.transaction() as tx:
                await follows.unfollow(tx, follower.id, ann.id)
            await stage.feeds.align_author(follower.id, ann.id)

    class AfterTheFollowers(Meanwhile):
        """A database in which all leave right after the chunk's followers were read."""

        async def fetchrow(self, sql: str, *args: object) -> Any:
            """Return a row; nothing happens."""
            return await self._database.fetchrow(sql, *args)

    database: Any = AfterTheFollowers(stage.database, leave)
    chunk = Stars(database, stage.feeds, followers=3, chunk=10)
    database.transaction = stage.database.transaction
    await chunk.chunk(StarChunk(author_id=ann.id, change_id=change))
    assert [await stage.feeds.followed_stars.of(follower.id) for follower in followers] == [None] * 3


async def test_repeated_events(stage: Stage) -> None:
    """Repeated events of a change, also those of an earlier one, change nothing and complete nothing too early."""
    ann, followers = await followed_author(stage, 3)
    photo = await ready_photo(stage.database, ann)
    # The first event of the promotion is handled twice, as after a kill before it was acknowledged.
    await stage.database.fetch("DELETE FROM outbox WHERE topic <> 'photo.ready'")
    await stage.fanout.ready(PhotoReady(photo_id=photo.id, author_id=ann.id))
    (event,) = await _chunks(stage)
    for _ in range(2):
        await stage.stars.chunk(event)
    assert await state_of(stage, ann) is StarState.PROMOTING
    await stage.pump()
    assert await state_of(stage, ann) is StarState.STAR
    standing = await stars.standing(stage.database, ann.id)
    await stage.stars.chunk(event)
    await stage.stars.chunk(StarChunk(author_id=ann.id, change_id=event.change_id - 1))
    assert await stars.standing(stage.database, ann.id) == standing
    assert [await stage.feeds.stars_of(follower.id) for follower in followers] == [(ann.id,)] * 3


async def test_an_event_of_another_change(stage: Stage) -> None:
    """An event that an earlier promotion or demotion has left changes no list, also while another one is under way."""
    ann, followers = await followed_author(stage, 3)
    await stage.stars.reconsider(ann.id, await stars.standing(stage.database, ann.id))
    (event,) = await _chunks(stage)
    await stage.stars.chunk(replace(event, change_id=event.change_id - 1))
    assert [await stage.feeds.followed_stars.of(follower.id) for follower in followers] == [None] * 3
    assert await _chunks(stage) == [event]


async def test_a_second_star(stage: Stage) -> None:
    """Followers of a star do not have to read again when another author becomes one."""
    ann, followers = await star(stage)
    bob = await new_user(stage.database, "bob")
    for follower in followers:
        await follow(stage.database, follower, bob)
    await stage.pump()
    before = {follower.id: await stage.feeds.position(follower.id) for follower in followers}
    posted = [await post(stage, ann), await post(stage, bob), await post(stage, bob), await post(stage, ann)]
    assert await state_of(stage, bob) is StarState.STAR
    for follower in followers:
        recovered = await stage.feeds.since(follower.id, *before[follower.id])
        assert recovered is not None
        assert [entry.id for entry in recovered.entries] == [photo.id for photo in posted]


async def test_two_workers_begin_one_change(stage: Stage) -> None:
    """Of two that read the same standing, one begins the promotion."""
    ann, _ = await followed_author(stage, 3)
    standing = await stars.standing(stage.database, ann.id)
    for _ in range(2):
        await stage.stars.reconsider(ann.id, standing)
    assert len(await _chunks(stage)) == 1


async def test_lost_data(stage: Stage) -> None:
    """Without the logs of the star, or all data of Redis, feeds are built from PostgreSQL, and the next photo comes."""
    ann, (bob, *_) = await star(stage)
    cat = (await new_users(stage.database, "cat"))[0]
    await follow(stage.database, cat, ann)
    await stage.pump()
    await stage.online(cat)
    for loss in (["star:*"], ["starheads:*"], ["stars:*"], ["*"]):
        await post(stage, ann)
        for pattern in loss:
            keys = [key for key in await commands(stage.redis).keys(pattern) if not key.startswith(b"online")]
            await commands(stage.redis).delete(*keys)
        await post(stage, ann)
        for reader in (bob, cat):
            await stage.feeds.position(reader.id)
            expected = [row["id"] for row in await stage.database.fetch("SELECT id FROM photos ORDER BY id DESC")]
            assert await stage.feed(reader) == expected


async def _chunks(stage: Stage) -> list[StarChunk]:
    rows = await stage.database.fetch("SELECT topic, body FROM outbox WHERE topic = 'star.chunk'")
    found = [events.decode(row["topic"], row["body"]) for row in rows]
    return [event for event in found if isinstance(event, StarChunk)]


async def test_a_deleted_star_leaves_no_list_behind(stage: Stage) -> None:
    """The deletion of a star's account ends in a demotion: its row, its logs and the entries of lists go."""
    ann, followers = await star(stage)
    async with stage.database.transaction() as tx:
        await users.remove(tx, ann.id)
    await stage.pump()
    assert await state_of(stage, ann) is None
    assert not [key async for key in commands(stage.redis).scan_iter("star:*")]
    for follower in followers:
        assert await stage.feed(follower) == []


async def test_a_deleted_account_is_not_promoted(stage: Stage) -> None:
    """An account that is deleted has no followers to whom a photo could be announced."""
    ann, _ = await followed_author(stage, 4)
    async with stage.database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert (await stars.standing(stage.database, ann.id)).followers == 0
