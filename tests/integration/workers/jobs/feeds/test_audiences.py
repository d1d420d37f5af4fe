"""Photos for an audience that not all followers belong to: where they appear, and where they disappear."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.events import FanoutChunk, MediaPurge
from storage.feeds import feeds
from storage.feeds.feeds import Feeds
from storage.feeds.window_log import Inserted
from storage.ids import encode
from storage.models import Photo, PhotoAudience, User
from storage.stores.photos import photo_audience, photo_deletion
from storage.stores.social import close_friends, follows
from tests.support.community import new_user, new_users, ready_photo, ready_post
from tests.support.stage import Stage
from workers.jobs.feeds.audience_feeds import AudienceFeeds
from workers.jobs.live.publications import PUBLIC_TOPIC

pytestmark = pytest.mark.engines

EVERYONE: dict[str, Any] = {"after_shard": -1, "after_id": -1, "until_shard": 1024, "until_id": 0}

# Each audience after each other one.
CHANGES = [next(audience for audience in PhotoAudience if audience[0] == letter) for letter in "pfpcpofcfocop"]


class _OvertakenFeeds(Feeds):
    """Feeds before whose removals something else happens."""

    def __init__(self, stage: Stage, before: Callable[[], Awaitable[None]]) -> None:
        super().__init__(stage.database, stage.redis, stage.cards, delivery_script(stage.redis))
        self._before = before

    async def remove(self, photo_id: int, user_ids: Iterable[int], message: bytes) -> Inserted:
        """Remove a photo after what happens before."""
        await self._before()
        return await super().remove(photo_id, user_ids, message)


async def _community(stage: Stage) -> tuple[User, User, User, User]:
    """Return an author, a follower, a follower who is a close friend, and a close friend who does not follow."""
    ann, bob, cal, dan = await new_users(stage.database, "ann", "bob", "cal", "dan")
    async with stage.database.transaction() as tx:
        for follower in (bob, cal):
            await follows.follow(tx, follower.id, ann.id)
        for friend in (cal, dan):
            await close_friends.add(tx, ann.id, friend.id)
    await stage.pump()
    await stage.online(ann, bob, cal, dan)
    for reader in (ann, bob, cal, dan):
        await stage.feed(reader)
    await stage.deliveries()
    await stage.topic_publications()
    return ann, bob, cal, dan


async def _change(stage: Stage, photo: Photo, audience: PhotoAudience) -> bool:
    async with stage.database.transaction() as tx:
        changed = await photo_audience.change(tx, photo.id, author_id=photo.author.id, audience=audience)
    await stage.cards.invalidate([photo.id])
    return changed


def _readers(audience: PhotoAudience) -> set[str]:
    match audience:
        case PhotoAudience.ONLY_ME:
            return {"ann"}
        case PhotoAudience.CLOSE_FRIENDS:
            return {"ann", "cal"}
        case _:
            return {"ann", "bob", "cal"}


async def test_a_new_photo_reaches_its_audience(stage: Stage) -> None:
    """A photo is inserted for, and published to, those of its audience who follow the author; and no one else."""
    everyone = await _community(stage)
    ann = everyone[0]
    for audience in PhotoAudience:
        photo = await ready_photo(stage.database, ann, audience=audience)
        await stage.pump()
        published = {delivery.user_id for delivery in await stage.deliveries()}
        assert published == {user.id for user in everyone if user.username in _readers(audience)}
        for user in everyone:
            assert (photo.id in await stage.feed(user)) is (user.username in _readers(audience))
        topics = [topic for topic, _ in await stage.topic_publications()]
        assert topics == ([f"user:{encode(ann.id)}", PUBLIC_TOPIC] if audience is PhotoAudience.PUBLIC else [])
        async with stage.database.transaction() as tx:
            await photo_deletion.delete(tx, photo.id, author_id=ann.id)
        await stage.pump()
        removed = {delivery.user_id for delivery in await stage.deliveries()}
        assert removed == published, "those who never saw it must not learn that it is gone"
        topics = [topic for topic, _ in await stage.topic_publications()]
        assert topics == [f"user:{encode(ann.id)}"] * (audience is PhotoAudience.PUBLIC) + [f"photo:{encode(photo.id)}"]


async def test_every_change_of_the_audience(stage: Stage) -> None:
    """The photo leaves the feeds of those who may not see it any more, and appears in those of who may now."""
    everyone = await _community(stage)
    ann, photo = everyone[0], await ready_photo(stage.database, everyone[0])
    await stage.pump()
    await stage.deliveries()
    await stage.topic_publications()
    assert len(set(itertools.pairwise(CHANGES))) == 12
    for former, audience in itertools.pairwise(CHANGES):
        assert await _change(stage, photo, audience)
        assert not await _change(stage, photo, audience)
        await stage.pump()
        kinds = {(d.user_id, d.document["type"]) for d in await stage.deliveries() if "data" in d.body}
        before, after = _readers(former), _readers(audience)
        for user in everyone:
            assert (photo.id in await stage.feed(user)) is (user.username in after)
            assert ((user.id, "photo.removed") in kinds) is (user.username in before - after)
            assert ((user.id, "photo.new") in kinds) is (user.username in after - before)
        published = await stage.topic_publications()
        kinds_of_profile = [document["type"] for topic, document in published if topic == f"user:{encode(ann.id)}"]
        left = former is PhotoAudience.PUBLIC
        assert kinds_of_profile == ["photo.new"] * (audience is PhotoAudience.PUBLIC) + ["photo.removed"] * left


async def test_a_new_close_friend_has_what_was_hidden_before(stage: Stage) -> None:
    """A follower who becomes a close friend has the photos for close friends in the feed, and none as a former one."""
    ann, bob, *_ = await _community(stage)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await _change(stage, photo, PhotoAudience.CLOSE_FRIENDS)
    await stage.pump()
    assert await stage.feed(bob) == []
    for change, shown in ((close_friends.add, [photo.id]), (close_friends.remove, []), (close_friends.add, [photo.id])):
        await stage.deliveries()
        async with stage.database.transaction() as tx:
            assert await change(tx, ann.id, bob.id)
        await stage.pump()
        assert await stage.feed(bob) == shown
        orders = [delivery.body for delivery in await stage.deliveries(bob)]
        assert orders == [{"control": "revoke", "owner": ann.id, "prefix": "photo:"}]


async def test_chunks_follow_the_present_audience(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk that comes after another change of the audience does nothing: that change has chunks of its own."""
    monkeypatch.setattr(feeds, "RECENT_EDIT", 0)  # these feeds are new, and would be verified one by one
    ann, bob, cal, _ = await _community(stage)
    photo = await ready_photo(stage.database, ann, audience=PhotoAudience.CLOSE_FRIENDS)
    insertion = FanoutChunk(photo_id=photo.id, author_id=ann.id, remove=False, restore=True, **EVERYONE)
    removal = FanoutChunk(photo_id=photo.id, author_id=ann.id, remove=True, restore=True, **EVERYONE)
    await stage.pump()
    await stage.fanout.chunk(insertion)
    assert await stage.feed(bob) == []
    await stage.fanout.chunk(removal)
    assert await stage.feed(cal) == [photo.id]
    await _change(stage, photo, PhotoAudience.PUBLIC)
    await stage.pump()
    await stage.fanout.chunk(removal)
    assert await stage.feed(bob) == await stage.feed(cal) == [photo.id]


async def test_caches_forget_what_is_not_public_any_more(stage: Stage) -> None:
    """Images of all pictures are purged if the photo was for everyone before, and not otherwise."""
    ann = await new_user(stage.database, "ann")
    photo = await ready_post(stage.database, ann, "one", "two")
    for audience, purged in (("followers", True), ("only_me", False), ("public", False), ("close_friends", True)):
        async with stage.database.transaction() as tx:
            await photo_audience.change(tx, photo.id, author_id=ann.id, audience=PhotoAudience(audience))
            purges = [event for event in tx.events if isinstance(event, MediaPurge)]
        assert [set(event.sha256s) for event in purges] == [{item.sha256 for item in photo.items}] * purged


async def test_a_removal_that_is_overtaken_inserts_again(stage: Stage) -> None:
    """A photo that is public again before its removal ends is in the feed, whichever change was handled last."""
    ann, bob, *_ = await _community(stage)
    photo = await ready_photo(stage.database, ann, audience=PhotoAudience.ONLY_ME)
    await stage.pump()

    async def widen() -> None:
        async with stage.database.transaction() as tx:
            await photo_audience.change(tx, photo.id, author_id=ann.id, audience=PhotoAudience.PUBLIC)
        await stage.cards.invalidate([photo.id])

    overtaken = AudienceFeeds(stage.database, _OvertakenFeeds(stage, widen), stage.cards)
    await overtaken.remove(photo.id, ann.id, [bob.id], removed=b"", new=b"")
    assert await stage.feed(bob) == [photo.id]
