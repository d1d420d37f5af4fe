"""Photos in followers' feeds and on their live connections, and their removal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.events import FanoutChunk, PhotoDeleted, PhotoReady, UserFollowed
from storage.ids import encode, shard_of
from storage.models import Photo, PhotoAudience, User
from storage.stores.photos import photo_deletion, photo_edits
from storage.stores.social import blocks, close_friends, follows
from tests.support.community import follow, new_user, new_users, processing_photo, ready_photo, topics
from tests.support.stage import Stage, kinds
from tests.support.statements import StatementLog
from workers.jobs.feeds.photo_feeds import LANES, lanes
from workers.jobs.live.publications import PUBLIC_TOPIC

pytestmark = pytest.mark.engines


async def delete(stage: Stage, photo: Photo) -> None:
    """Delete a photo."""
    async with stage.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=photo.author.id)


async def online_followers(stage: Stage, author: User, size: int) -> list[User]:
    """Create followers of an author and connect all of them."""
    followers = [await new_user(stage.database, f"follower{number}") for number in range(size)]
    for follower in followers:
        await follow(stage.database, follower, author)
    await stage.pump()
    await stage.online(author, *followers)
    return followers


async def test_a_new_photo_reaches_feeds_and_connections(stage: Stage) -> None:
    """The author and the followers get a new photo in their feeds and whole on their connections; others do not."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    await follow(stage.database, bob, ann)
    await stage.online(ann, bob, cat)
    photo = await ready_photo(stage.database, ann, caption="A rocket", tags=("space",))
    await stage.pump()
    for reader in (ann, bob):
        assert await stage.feed(reader) == [photo.id]
    assert await stage.feed(cat) == []
    deliveries = [message for message in await stage.deliveries() if message.body["stream"] == "feed"]
    assert sorted(message.user_id for message in deliveries) == sorted((ann.id, bob.id))
    assert all(message.offset > 0 for message in deliveries)
    document = deliveries[0].document
    assert document["type"] == "photo.new"
    shown = document["photo"]
    assert (shown["id"], shown["caption"], shown["tags"]) == (encode(photo.id), "A rocket", ["space"])
    assert (shown["likes"], shown["comments"], shown["liked"], shown["state"]) == (0, 0, False, "ready")
    assert shown["urls"]["feed"] == f"/media/r1/{photo.sha256}/1080.jpg"
    assert await stage.topic_publications() == [(f"user:{encode(ann.id)}", document), (PUBLIC_TOPIC, document)]


async def test_a_photo_that_a_follow_brought_is_published(stage: Stage) -> None:
    """A photo posted right after a follow is published to the follower, although the follow inserted it already."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await stage.online(bob)
    await follow(stage.database, bob, ann)
    photo = await ready_photo(stage.database, ann)
    await stage.fanout.handlers()["user.followed"](UserFollowed(follower_id=bob.id, followee_id=ann.id))
    assert await stage.feed(bob) == [photo.id]
    assert await stage.deliveries() == []
    await stage.pump()
    assert "photo.new" in kinds(await stage.deliveries(bob))


async def test_urls_of_a_private_photo_are_signed(stage: Stage) -> None:
    """The URLs of a private account's photo are signed."""
    ann, bob = await new_user(stage.database, "ann", private=True), await new_user(stage.database, "bob")
    await follow(stage.database, bob, ann)
    async with stage.database.transaction() as tx:
        await follows.accept(tx, ann.id, bob.id)
    await stage.online(bob)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    (delivery,) = [item for item in await stage.deliveries() if "photo" in item.document]
    assert delivery.document["photo"]["urls"]["thumb"] == f"/media/r1/{photo.sha256}/320.jpg?signed"


async def test_a_repeated_event_changes_nothing(stage: Stage) -> None:
    """A repeated event changes no feed and is not published again."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(ann, bob)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.deliveries()
    await stage.fanout.ready(PhotoReady(photo_id=photo.id, author_id=ann.id))
    assert await stage.feed(bob) == [photo.id]
    assert await stage.deliveries() == []


async def test_a_photo_is_loaded_once(stage: Stage) -> None:
    """However many chunks a photo's followers make, its row is read once; the chunks use its card."""
    ann = await new_user(stage.database, "ann")
    for number in range(11):
        await follow(stage.database, await new_user(stage.database, f"follower{number}"), ann)
    await stage.pump()
    photo = await ready_photo(stage.database, ann)
    log = await StatementLog.open(stage.database, connections=8)
    handled = await stage.pump()
    assert handled.count("bulk fanout.chunk") >= 3
    loads = [statement for statement in await log.take() if "p.caption" in statement]
    assert len(loads) == 1, loads
    assert await stage.cards.get([photo.id])


async def test_an_edit_reaches_those_who_have_the_photo_open(stage: Stage) -> None:
    """The photo's topic gets its present description, and the card is renewed; of a draft nothing is published."""
    ann = await new_user(stage.database, "ann")
    photo, draft = await ready_photo(stage.database, ann, caption="a"), await processing_photo(stage.database, ann)
    await stage.pump()
    await stage.topic_publications()
    for edited in (photo, draft):
        async with stage.database.transaction() as tx:
            await photo_edits.edit(tx, edited.id, author_id=ann.id, caption="b", tags=["sea"], location="Rome")
    await stage.pump()
    ((topic, document),) = await stage.topic_publications()
    assert topic == f"photo:{encode(photo.id)}"
    assert document.pop("edited_at")
    assert document == {
        "type": "photo.edited",
        "photo_id": encode(photo.id),
        "audience": "public",
        "sensitive": False,
        "caption": "b",
        "caption_entities": [],
        "alt_text": "",
        "tags": ["sea"],
        "location": "Rome",
        "taken_at": None,
        "items": [{"sha256": photo.sha256, "alt_text": ""}],
    }
    assert b'"caption":"b"' in (await stage.cards.get([photo.id]))[photo.id]


@pytest.mark.parametrize("audience", [PhotoAudience.PUBLIC, PhotoAudience.CLOSE_FRIENDS, PhotoAudience.ONLY_ME])
async def test_an_edit_reaches_the_feeds_that_have_the_photo(stage: Stage, audience: PhotoAudience) -> None:
    """The author and the audience, while they are connected; it has no offset, so that it is not recovered."""
    ann, bob, cat, dan = await new_users(stage.database, "ann", "bob", "cat", "dan")
    for follower in (bob, cat):
        await follow(stage.database, follower, ann)
    async with stage.database.transaction() as tx:
        await close_friends.add(tx, ann.id, cat.id)
    photo = await ready_photo(stage.database, ann, caption="a", audience=audience)
    await stage.pump()
    await stage.online(ann, bob, cat, dan)
    await stage.deliveries()
    async with stage.database.transaction() as tx:
        await photo_edits.edit(tx, photo.id, author_id=ann.id, caption="b")
    await stage.pump()
    edits = [each for each in await stage.deliveries() if each.document["type"] == "photo.edited"]
    readers = {PhotoAudience.PUBLIC: [ann, bob, cat], PhotoAudience.CLOSE_FRIENDS: [ann, cat]}.get(audience, [ann])
    assert sorted(each.user_id for each in edits) == sorted(reader.id for reader in readers)
    assert {(each.body["stream"], each.offset, each.document["caption"]) for each in edits} == {("feed", 0, "b")}


async def test_many_followers_are_served_in_chunks(stage: Stage) -> None:
    """Each of many followers gets a photo exactly once, in chunks; a deletion works the same way.

    The first chunk is served with the author; the queue "bulk" serves the others, with a bounded number of events.
    """
    ann = await new_user(stage.database, "ann")
    followers = await online_followers(stage, ann, 11)
    photo = await ready_photo(stage.database, ann)
    await stage.fanout.ready(PhotoReady(photo_id=photo.id, author_id=ann.id))
    served = await stage.deliveries()
    assert len(served) == 4
    assert (await topics(stage.database)).count("fanout.chunk") <= LANES
    assert (await stage.pump()).count("bulk fanout.chunk") >= 3
    deliveries = [*served, *await stage.deliveries()]
    assert sorted(message.user_id for message in deliveries) == sorted(reader.id for reader in (ann, *followers))
    assert set(kinds(deliveries)) == {"photo.new"}
    for reader in (ann, *followers):
        assert await stage.feed(reader) == [photo.id]
    await delete(stage, photo)
    assert (await stage.pump()).count("bulk fanout.chunk") >= 3
    deliveries = await stage.deliveries()
    assert sorted(message.user_id for message in deliveries) == sorted(reader.id for reader in (ann, *followers))
    assert set(kinds(deliveries)) == {"photo.removed"}
    for reader in (ann, *followers):
        assert await stage.feed(reader) == []


async def test_a_muted_author_is_left_out(stage: Stage) -> None:
    """Followers that mute the author get the photo neither in the feed nor on a connection."""
    ann = await new_user(stage.database, "ann")
    followers = await online_followers(stage, ann, 7)
    async with stage.database.transaction() as tx:
        await blocks.mute(tx, followers[2].id, ann.id)
    await ready_photo(stage.database, ann)
    await stage.pump()
    assert await stage.feed(followers[2]) == []
    assert await stage.deliveries(followers[2]) == []
    assert len(await stage.feed(followers[3])) == 1


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((-1, -1), [((-1, -1), (256, 0)), ((256, 0), (512, 0)), ((512, 0), (768, 0)), ((768, 0), (1024, 0))]),
        ((3, 7), [((3, 7), (256, 0)), ((256, 0), (512, 0)), ((512, 0), (768, 0)), ((768, 0), (1024, 0))]),
        ((256, 7), [((256, 7), (512, 0)), ((512, 0), (768, 0)), ((768, 0), (1024, 0))]),
        ((1023, 7), [((1023, 7), (1024, 0))]),
    ],
)
def test_lanes_hold_every_follower(after: tuple[int, int], expected: list[Any]) -> None:
    """Lanes join without gap or overlap, from the last follower that was served to the end."""
    assert lanes(after) == expected


async def test_a_chunk_is_continued_until_its_range_is_served(stage: Stage) -> None:
    """A range of followers is served by one event after the other, also those who followed after the first."""
    ann = await new_user(stage.database, "ann")
    followers = await online_followers(stage, ann, 8)
    photo = await ready_photo(stage.database, ann)
    everyone: dict[str, Any] = {"after_shard": -1, "after_id": -1, "until_shard": 1024, "until_id": 0}
    await stage.database.fetch("DELETE FROM outbox")
    await stage.fanout.chunk(FanoutChunk(photo_id=photo.id, author_id=ann.id, remove=False, **everyone))
    assert sum([len(await stage.feed(reader)) for reader in followers]) == 3
    assert await stage.pump() == ["bulk fanout.chunk"] * 2
    assert [await stage.feed(reader) for reader in followers] == [[photo.id]] * 8
    last = max(followers, key=lambda reader: (shard_of(reader.id), reader.id))
    bounds: dict[str, Any] = {"after_shard": shard_of(last.id), "after_id": last.id, "until_shard": 1024, "until_id": 0}
    await stage.deliveries()
    await stage.fanout.chunk(FanoutChunk(photo_id=photo.id, author_id=ann.id, remove=True, **bounds))
    assert await stage.deliveries() == []


async def test_a_deleted_photo_is_removed(stage: Stage) -> None:
    """A deleted photo leaves the feeds, its removal is published, and its card and its topic are gone."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(bob)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.deliveries()
    await stage.topic_publications()
    assert photo.id in await stage.cards.get([photo.id])
    await delete(stage, photo)
    await stage.pump()
    assert await stage.feed(bob) == []
    (delivery,) = await stage.deliveries()
    assert delivery.document == {"type": "photo.removed", "photo_id": encode(photo.id)}
    assert await stage.cards.get([photo.id]) == {}
    assert await stage.topic_publications() == [
        (f"user:{encode(ann.id)}", {"type": "photo.removed", "photo_id": encode(photo.id)}),
        (f"photo:{encode(photo.id)}", None),
    ]


async def test_a_photo_deleted_before_its_fan_out_stays_away(stage: Stage) -> None:
    """A photo that was deleted before its fan-out is inserted in no feed and not published."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(bob)
    photo = await ready_photo(stage.database, ann)
    await delete(stage, photo)
    deleted = PhotoDeleted(photo_id=photo.id, author_id=ann.id, sha256=photo.sha256)
    ready = PhotoReady(photo_id=photo.id, author_id=ann.id)
    await stage.fanout.deleted(deleted)
    await stage.fanout.ready(ready)
    everyone: dict[str, Any] = {"after_shard": -1, "after_id": -1, "until_shard": 1024, "until_id": 0}
    await stage.fanout.chunk(FanoutChunk(photo_id=photo.id, author_id=ann.id, remove=False, **everyone))
    assert await stage.feed(bob) == []
    assert "photo.new" not in kinds(await stage.deliveries())


async def test_a_deletion_during_the_insertion_wins(stage: Stage) -> None:
    """A deletion that is handled during the insertion wins, in any order of the steps."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(ann, bob)
    for _ in range(10):
        photo = await ready_photo(stage.database, ann)
        ready = asyncio.create_task(stage.fanout.ready(PhotoReady(photo_id=photo.id, author_id=ann.id)))
        await delete(stage, photo)
        deleted = PhotoDeleted(photo_id=photo.id, author_id=ann.id, sha256=photo.sha256)
        await asyncio.gather(ready, stage.fanout.deleted(deleted))
        assert await stage.feed(bob) == []
        assert await stage.cards.get([photo.id]) == {}


async def test_only_the_author_receives_suggestions(stage: Stage) -> None:
    """Texts of the file reach the author's connections with the photo, and no other user's, nor the topic."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(ann, bob)
    photo = await ready_photo(stage.database, ann, suggestions={"alt_text": "A dog"})
    await stage.pump()
    deliveries = {item.user_id: item for item in await stage.deliveries() if item.body["stream"] == "feed"}
    assert deliveries[ann.id].document["photo"]["suggestions"] == {"alt_text": "A dog"}
    assert deliveries[ann.id].offset > 0
    assert deliveries[bob.id].document["photo"]["id"] == encode(photo.id)
    assert "suggestions" not in deliveries[bob.id].document["photo"]
    assert [document for _, document in await stage.topic_publications()] == [deliveries[bob.id].document] * 2
    assert [await stage.feed(reader) for reader in (ann, bob)] == [[photo.id]] * 2
