"""The worker "discover": uses of tags as they happen, and suggestions of accounts from all sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from storage.cache.photo_trends import PhotoTrends
from storage.cache.tag_trends import TagTrends
from storage.events import Event, PhotoReady, SuggestionsWanted
from storage.models import User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, users
from storage.stores.discovery import account_suggestions
from storage.stores.discovery.account_suggestions import SuggestionReason
from storage.stores.photos import likes
from storage.stores.social import blocks
from storage.trends import MIN_AUTHORS
from tests.support.community import follow, new_user, new_users, old_users, ready_photo, topics
from workers.jobs.discovery.account_suggestions import SuggestionMaker
from workers.jobs.discovery.discover import DiscoverHandlers

pytestmark = pytest.mark.engines

FOLLOWS_YOU, FRIENDS, TAGS, PICK, KNOWN = SuggestionReason


class Scene:
    """The worker's handlers; `picked` is the operator's pick."""

    def __init__(self, database: Database, redis: Any) -> None:
        self.database = database
        self.tags = TagTrends(redis)
        maker = SuggestionMaker(database, PhotoTrends(redis), picks=["picked", "nobody"])
        self._handlers = DiscoverHandlers(database, self.tags, maker).handlers()

    async def handle(self, event: Event) -> None:
        """Handle an event."""
        await self._handlers[event.topic](event)

    async def want(self, user: User) -> bool:
        """Ask for suggestions; return whether they are to be made."""
        async with self.database.transaction() as tx:
            return await account_suggestions.want(tx, user.id)

    async def suggested(self, user: User) -> list[tuple[int, SuggestionReason]]:
        """Have suggestions made, and return those that are shown."""
        await self.want(user)
        await self.handle(SuggestionsWanted(user_id=user.id))
        return await self.shown(user)

    async def shown(self, user: User) -> list[tuple[int, SuggestionReason]]:
        """Return the suggestions that are shown."""
        made = await account_suggestions.read(self.database, user.id)
        ids = [entry.user_id for entry in made.accounts]
        allowed = await account_suggestions.suggestible(self.database, user.id, ids)
        return [(entry.user_id, entry.reason) for entry in made.accounts if entry.user_id in allowed]

    async def age(self, age: timedelta) -> None:
        """Move the times of all suggestions into the past."""
        await self.database.fetch(
            "UPDATE account_suggestions SET made_at = made_at - $1::interval, wanted_at = wanted_at - $1::interval", age
        )


@pytest.fixture
def scene(database: Database, redis: Any) -> Scene:
    """A scene."""
    return Scene(database, redis)


async def share(database: Database, author: User, *, photos: int = 1, tags: Sequence[str] = ()) -> list[int]:
    """Share photos and return their ids."""
    return [(await ready_photo(database, author, tags=tags)).id for _ in range(photos)]


async def test_tags_are_counted_when_a_photo_is_ready(scene: Scene, database: Database) -> None:
    """A tag that enough authors use is in the next list."""
    for author in await old_users(database, *(f"user{n}" for n in range(MIN_AUTHORS))):
        photo = await ready_photo(database, author, tags=["sea"])
        await scene.handle(PhotoReady(photo_id=photo.id, author_id=author.id))
    await scene.tags.rank()
    assert [entry.tag for entry in await scene.tags.page(None, count=10)] == ["sea"]


async def test_each_source_has_its_suggestions(scene: Scene, database: Database) -> None:
    """A follower, what a friend follows, an author with a liked tag, the pick, and whose photos are the newest."""
    me, fan, friend, far, painter, picked, other = await new_users(
        database, "me", "fan", "friend", "far", "painter", "picked", "other"
    )
    for follower, followee in ((fan, me), (me, friend), (friend, far), (friend, me)):
        await follow(database, follower, followee)
    await share(database, other)
    (liked,) = await share(database, friend, tags=["art"])
    await share(database, painter, tags=["art"])
    async with database.transaction() as tx:
        await likes.add(tx, photo_id=liked, user_id=me.id)
    found = await scene.suggested(me)
    # Those with photos come first, because there are few.
    expected = [(fan, FOLLOWS_YOU), (far, FRIENDS), (painter, TAGS), (picked, PICK), (other, KNOWN)]
    assert dict(found) == {user.id: reason for user, reason in expected}
    assert [user_id for user_id, _ in found][:2] == [painter.id, other.id]


async def test_who_is_not_suggested_any_more(scene: Scene, database: Database) -> None:
    """Accounts that were followed, dismissed, muted, deleted or became private, and those that a block separates."""
    me, *others = await new_users(database, "me", *(f"user{n}" for n in range(8)))
    for other in others:
        await share(database, other)
    followed, dismissed, muted, deleted, private, blocked, blocking, left = others
    assert {user_id for user_id, _ in await scene.suggested(me)} == {user.id for user in others}
    await follow(database, me, followed)
    async with database.transaction() as tx:
        for _ in range(2):
            await account_suggestions.dismiss(tx, me.id, dismissed.id)
        await blocks.mute(tx, me.id, muted.id)
        await users.remove(tx, deleted.id)
        await account_fields.update(tx, private.id, private=True)
        await blocks.block(tx, me.id, blocked.id)
        await blocks.block(tx, blocking.id, me.id)
    assert await scene.shown(me) == [(left.id, KNOWN)]
    await scene.age(timedelta(hours=25))
    assert await scene.suggested(me) == [(left.id, KNOWN)]
    # None of them takes the place of another one.
    assert await database.fetchval("SELECT jsonb_array_length(accounts) FROM account_suggestions") == 1


async def test_they_are_made_once_a_day(scene: Scene, database: Database) -> None:
    """A second request does nothing, unless the first was lost; a repeated event does nothing either."""
    me, first = await new_users(database, "me", "first")
    await share(database, first)
    assert await scene.want(me)
    assert not await scene.want(me)
    await scene.age(timedelta(minutes=11))
    assert await scene.want(me)
    assert (await topics(database)).count("suggestions.wanted") == 2
    await scene.handle(SuggestionsWanted(user_id=me.id))
    await share(database, await new_user(database, "second"))
    await scene.age(timedelta(minutes=11))
    assert not await scene.want(me)
    await scene.handle(SuggestionsWanted(user_id=me.id))
    assert await scene.shown(me) == [(first.id, KNOWN)]
    await scene.age(timedelta(hours=25))
    assert await scene.want(me)
    await scene.handle(SuggestionsWanted(user_id=me.id))
    assert len(await scene.shown(me)) == 2


async def test_only_so_many_dismissals_are_kept(database: Database) -> None:
    """The newest are."""
    me = await new_user(database, "me")
    for account in range(1, account_suggestions.MAX_DISMISSED + 3):
        await database.fetch(
            "INSERT INTO dismissed_suggestions (shard, user_id, account_id, created_at) "
            "VALUES ($1::bigint & 1023, $1, $2, now() - interval '1 day' + $2::bigint * interval '1 second')",
            me.id,
            account,
        )
    async with database.transaction() as tx:
        await account_suggestions.dismiss(tx, me.id, 9_999)
    kept = await account_suggestions.dismissed_ids(database, me.id)
    assert len(kept) == account_suggestions.MAX_DISMISSED
    assert {1, 2, 3}.isdisjoint(kept)
    assert 9_999 in kept


async def test_a_deleted_account_has_none(scene: Scene, database: Database) -> None:
    """Nothing is stored for it any more."""
    me = await new_user(database, "me")
    async with database.transaction() as tx:
        await users.remove(tx, me.id)
    assert not await scene.want(me)
