"""Photos reach followers' feeds and screens, and leave them again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.events import FanoutChunk, PhotoDeleted, PhotoReady, UserFollowed
from storage.ids import encode, shard_of
from storage.models import Photo, User
from storage.stores import photos, relations
from tests.support.community import follow, people, person, ready_photo
from tests.support.stage import Stage, kinds
from tests.support.statements import StatementLog
from workers.jobs.fanout import chunks

pytestmark = pytest.mark.engines


async def delete(stage: Stage, photo: Photo) -> None:
    """Delete a photo."""
    async with stage.database.transaction() as tx:
        await photos.delete(tx, photo.id, author_id=photo.author.id)


async def crowd(stage: Stage, author: User, size: int) -> list[User]:
    """Return so many online followers of an author."""
    followers = [await person(stage.database, f"follower{number}") for number in range(size)]
    for follower in followers:
        await follow(stage.database, follower, author)
    await stage.pump()
    await stage.online(author, *followers)
    return followers


async def test_new_photo(stage: Stage) -> None:
    """A new photo is in the feeds of its author and followers, who are told with the whole photo; nobody else is."""
    ann, bob, cat = await people(stage.database, "ann", "bob", "cat")
    await follow(stage.database, bob, ann)
    await stage.online(ann, bob, cat)
    photo = await ready_photo(stage.database, ann, caption="A rocket", tags=("space",))
    await stage.pump()
    for reader in (ann, bob):
        assert await stage.feed(reader) == [photo.id]
    assert await stage.feed(cat) == []
    told = [message for message in await stage.told() if message.body["stream"] == "feed"]
    assert sorted(message.person for message in told) == sorted((ann.id, bob.id))
    assert all(message.offset > 0 for message in told)
    document = told[0].document
    assert document["type"] == "photo.new"
    shown = document["photo"]
    assert (shown["id"], shown["caption"], shown["tags"]) == (encode(photo.id), "A rocket", ["space"])
    assert (shown["likes"], shown["comments"], shown["liked"], shown["state"]) == (0, 0, False, "ready")
    assert shown["urls"]["feed"] == f"/media/{photo.sha256}/feed.jpg"
    assert await stage.on_topics() == [(f"user:{encode(ann.id)}", document)]


async def test_follow_event_is_slower(stage: Stage) -> None:
    """A photo posted right after somebody followed is told to that person, though the follow brought it already."""
    ann, bob = await people(stage.database, "ann", "bob")
    await stage.online(bob)
    await follow(stage.database, bob, ann)
    photo = await ready_photo(stage.database, ann)
    await stage.fanout.handlers()["user.followed"](UserFollowed(follower_id=bob.id, followee_id=ann.id))
    assert await stage.feed(bob) == [photo.id]
    assert await stage.told() == []
    await stage.pump()
    assert "photo.new" in kinds(await stage.told(bob))


async def test_private_photo_is_signed(stage: Stage) -> None:
    """The URLs of a private account's photo are signed."""
    ann, bob = await person(stage.database, "ann", private=True), await person(stage.database, "bob")
    await follow(stage.database, bob, ann)
    async with stage.database.transaction() as tx:
        await relations.accept(tx, ann.id, bob.id)
    await stage.online(bob)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    (told,) = await stage.told()
    assert told.document["photo"]["urls"]["thumb"] == f"/media/{photo.sha256}/thumb.jpg?signed"


async def test_repeated(stage: Stage) -> None:
    """A repeated event changes no feed and tells nobody again."""
    ann, bob = await people(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(ann, bob)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.told()
    await stage.fanout.ready(PhotoReady(photo_id=photo.id, author_id=ann.id))
    assert await stage.feed(bob) == [photo.id]
    assert await stage.told() == []


async def test_a_photo_is_loaded_once(stage: Stage) -> None:
    """However many chunks a photo's followers make, its row is read once; the chunks use its card."""
    ann = await person(stage.database, "ann")
    for number in range(11):
        await follow(stage.database, await person(stage.database, f"follower{number}"), ann)
    await stage.pump()
    photo = await ready_photo(stage.database, ann)
    log = await StatementLog.open(stage.database, connections=8)
    handled = await stage.pump()
    assert handled.count("fanout fanout.chunk") == 4
    loads = [statement for statement in await log.take() if "p.caption" in statement]
    assert len(loads) == 1, loads
    assert await stage.cards.get([photo.id])


async def test_many_followers(stage: Stage) -> None:
    """Many followers are served in chunks, each exactly once, at one offset a call; a deletion the same way."""
    ann = await person(stage.database, "ann")
    followers = await crowd(stage, ann, 11)
    photo = await ready_photo(stage.database, ann)
    handled = await stage.pump()
    assert handled.count("fanout fanout.chunk") == 4
    told = await stage.told()
    assert sorted(message.person for message in told) == sorted(reader.id for reader in (ann, *followers))
    assert set(kinds(told)) == {"photo.new"}
    for reader in (ann, *followers):
        assert await stage.feed(reader) == [photo.id]
    await delete(stage, photo)
    assert (await stage.pump()).count("fanout fanout.chunk") == 4
    told = await stage.told()
    assert sorted(message.person for message in told) == sorted(reader.id for reader in (ann, *followers))
    assert set(kinds(told)) == {"photo.removed"}
    for reader in (ann, *followers):
        assert await stage.feed(reader) == []


async def test_muters_are_left_out(stage: Stage) -> None:
    """Who mutes the author is neither told nor given the photo, in chunks or not."""
    ann = await person(stage.database, "ann")
    followers = await crowd(stage, ann, 7)
    async with stage.database.transaction() as tx:
        await relations.mute(tx, followers[2].id, ann.id)
    await ready_photo(stage.database, ann)
    await stage.pump()
    assert await stage.feed(followers[2]) == []
    assert await stage.told(followers[2]) == []
    assert len(await stage.feed(followers[3])) == 1


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ([(5, 7)], [((-1, -1), (1024, 0))]),
        ([(1, 9), (5, 7)], [((-1, -1), (1, 9)), ((1, 9), (1024, 0))]),
        ([(1, 9), (1, 12), (5, 7)], [((-1, -1), (1, 9)), ((1, 9), (1, 12)), ((1, 12), (1024, 0))]),
        ([], [((-1, -1), (1024, 0))]),
    ],
)
def test_chunks_hold_everybody(bounds: list[tuple[int, int]], expected: list[Any]) -> None:
    """Chunks join without gap or overlap, and the last is open to followers who came meanwhile."""
    assert chunks(bounds) == expected


async def test_follower_who_came_meanwhile(stage: Stage) -> None:
    """A chunk that grew after it was cut is served whole."""
    ann = await person(stage.database, "ann")
    followers = await crowd(stage, ann, 8)
    photo = await ready_photo(stage.database, ann)
    everybody = {"after_shard": -1, "after_id": -1, "until_shard": 1024, "until_id": 0}
    await stage.fanout.chunk(FanoutChunk(photo_id=photo.id, author_id=ann.id, remove=False, **everybody))
    assert [await stage.feed(reader) for reader in followers] == [[photo.id]] * 8
    last = max(followers, key=lambda reader: (shard_of(reader.id), reader.id))
    bounds = {"after_shard": shard_of(last.id), "after_id": last.id, "until_shard": 1024, "until_id": 0}
    await stage.told()
    await stage.fanout.chunk(FanoutChunk(photo_id=photo.id, author_id=ann.id, remove=True, **bounds))
    assert await stage.told() == []


async def test_deleted_photo(stage: Stage) -> None:
    """A deleted photo leaves the feeds, who is online is told, its card and its topic are gone."""
    ann, bob = await people(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(bob)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.told()
    await stage.on_topics()
    assert photo.id in await stage.cards.get([photo.id])
    await delete(stage, photo)
    await stage.pump()
    assert await stage.feed(bob) == []
    (told,) = await stage.told()
    assert told.document == {"type": "photo.removed", "photo_id": encode(photo.id)}
    assert await stage.cards.get([photo.id]) == {}
    assert await stage.on_topics() == [
        (f"user:{encode(ann.id)}", {"type": "photo.removed", "photo_id": encode(photo.id)}),
        (f"photo:{encode(photo.id)}", None),
    ]


async def test_deleted_before_its_turn(stage: Stage) -> None:
    """A photo that is deleted before, or handled after, its fan-out comes back in no feed and before nobody's eyes."""
    ann, bob = await people(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(bob)
    photo = await ready_photo(stage.database, ann)
    await delete(stage, photo)
    deleted = PhotoDeleted(photo_id=photo.id, author_id=ann.id, sha256=photo.sha256)
    ready = PhotoReady(photo_id=photo.id, author_id=ann.id)
    await stage.fanout.deleted(deleted)
    await stage.fanout.ready(ready)
    everybody = {"after_shard": -1, "after_id": -1, "until_shard": 1024, "until_id": 0}
    await stage.fanout.chunk(FanoutChunk(photo_id=photo.id, author_id=ann.id, remove=False, **everybody))
    assert await stage.feed(bob) == []
    assert "photo.new" not in kinds(await stage.told())


async def test_deletion_overtakes(stage: Stage) -> None:
    """A deletion handled while the photo is being inserted wins, whatever the order of the steps."""
    ann, bob = await people(stage.database, "ann", "bob")
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
