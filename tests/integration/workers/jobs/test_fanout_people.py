"""What people do to each other, and to themselves, changes feeds and ends what they listened to."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from storage.events import UserChanged
from storage.ids import encode
from storage.stores import comments, relations, users
from tests.support.community import block, follow, people, person, ready_photo
from tests.support.stage import Stage, kinds
from workers.jobs import publications

pytestmark = pytest.mark.engines


async def test_follow_and_unfollow(stage: Stage) -> None:
    """Following brings an author's photos into the feed, unfollowing takes them out and ends the author's presence."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.online(bob)
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await stage.feed(bob) == [photo.id]
    async with stage.database.transaction() as tx:
        await relations.unfollow(tx, bob.id, ann.id)
    await stage.pump()
    assert await stage.feed(bob) == []
    order = {"control": "revoke", "owner": ann.id, "topic": publications.presence_topic(ann.id)}
    assert [message.body for message in await stage.told()] == [order]


async def test_request_changes_no_feed(stage: Stage) -> None:
    """Asking a private person shows nothing until it is granted; unfollowing ends what one listened to."""
    ann, bob = await person(stage.database, "ann", private=True), await person(stage.database, "bob")
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.online(bob)
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await stage.feed(bob) == []
    async with stage.database.transaction() as tx:
        await relations.accept(tx, ann.id, bob.id)
    await stage.pump()
    assert await stage.feed(bob) == [photo.id]
    await stage.told()
    async with stage.database.transaction() as tx:
        await relations.unfollow(tx, bob.id, ann.id)
    await stage.pump()
    assert [message.body for message in await stage.told(bob)] == [{"control": "revoke", "owner": ann.id}]


async def test_block(stage: Stage) -> None:
    """A block takes each one's photos out of the other's feed and ends what each listened to of the other."""
    ann, bob = await people(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await follow(stage.database, ann, bob)
    mine, yours = await ready_photo(stage.database, ann), await ready_photo(stage.database, bob)
    await stage.online(ann, bob)
    await stage.pump()
    assert await stage.feed(ann) == await stage.feed(bob) == [yours.id, mine.id]
    await stage.told()
    await block(stage.database, ann, bob)
    await stage.pump()
    assert await stage.feed(ann) == [mine.id]
    assert await stage.feed(bob) == [yours.id]
    told = await stage.told()
    assert {"control": "revoke", "owner": ann.id} in [message.body for message in told if message.person == bob.id]
    assert {"control": "revoke", "owner": bob.id} in [message.body for message in told if message.person == ann.id]


async def test_mute_and_unmute(stage: Stage) -> None:
    """Muting takes an author's photos out of the feed, unmuting brings them back."""
    ann, bob = await people(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    photo = await ready_photo(stage.database, ann)
    await stage.online(bob)
    for change, expected in ((relations.mute, []), (relations.unmute, [photo.id])):
        async with stage.database.transaction() as tx:
            await change(tx, bob.id, ann.id)
        await stage.pump()
        assert await stage.feed(bob) == expected


async def test_renamed(stage: Stage) -> None:
    """After an author's change of name the cards bear the new one."""
    ann = await person(stage.database, "ann")
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.cards.get([photo.id])
    async with stage.database.transaction() as tx:
        await users.update(tx, ann.id, display_name="Ann the Second")
    await stage.pump()
    card = (await stage.cards.get([photo.id]))[photo.id]
    assert b"Ann the Second" in card
    assert await stage.on_topics() == [(f"user:{encode(ann.id)}", first_document(card))]


def first_document(card: bytes) -> Any:
    """Return the document that told of the photo first, before the change of name."""
    photo = orjson.loads(card + b',"likes":0,"comments":0,"liked":false}')
    photo["author"]["display_name"] = "Ann"
    return {"type": "photo.new", "photo": photo}


async def test_became_private(stage: Stage) -> None:
    """When an account becomes private, who listens to it and its photos is cut off."""
    ann = await person(stage.database, "ann")
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.on_topics()
    async with stage.database.transaction() as tx:
        await users.update(tx, ann.id, private=True)
    await stage.pump()
    assert await stage.on_topics() == [(f"user:{encode(ann.id)}", None), (f"photo:{encode(photo.id)}", None)]
    async with stage.database.transaction() as tx:
        await users.update(tx, ann.id, private=False)
    await stage.pump()
    assert await stage.on_topics() == []


async def test_deleted_account(stage: Stage) -> None:
    """With an account its photos leave the followers' feeds, and its own connections and feed end."""
    ann, bob = await people(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(ann, bob)
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await comments.add(tx, photo_id=photo.id, author_id=bob.id, text="high!")
    await stage.pump()
    await stage.told()
    async with stage.database.transaction() as tx:
        await users.remove(tx, ann.id)
    await stage.pump()
    assert await stage.feed(bob) == []
    assert kinds(await stage.told(bob)) == ["photo.removed"]
    assert await stage.feeds.log.head(ann.id) is None
    await stage.fanout.handlers()["user.changed"](UserChanged(user_id=ann.id, deleted=True))
    assert {"control": "disconnect", "session": None} in [message.body for message in await stage.told(ann)]
