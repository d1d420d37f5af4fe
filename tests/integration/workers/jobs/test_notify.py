"""People hear of likes, comments and refused photos, once, and no longer when these are taken back."""

from __future__ import annotations

import asyncio
import random

import pytest

from storage.events import CommentAdded, LikeAdded, LikeRemoved, PhotoRejected
from storage.ids import encode
from storage.models import Comment, Photo, User
from storage.render.comment import comment_fields
from storage.stores import comments, notifications, photos, relations
from tests.support.community import people, person, processing_photo, ready_photo
from tests.support.stage import Stage, inbox, quiet

pytestmark = pytest.mark.engines


async def comment(stage: Stage, author: User, photo: Photo, text: str) -> Comment:
    """Write a comment."""
    async with stage.database.transaction() as tx:
        return (await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text))[0]


async def test_like(stage: Stage) -> None:
    """The owner of a liked photo is told who liked it, with the counters; others see the new count."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await quiet(stage, ann, bob)
    epoch, before = await stage.notification_log.position(ann.id)
    state = await stage.like(bob, photo)
    await stage.pump()
    (told,) = await stage.told()
    assert (told.person, told.body["stream"]) == (ann.id, "notifications")
    document = told.document
    assert document["type"] == "notification"
    assert document["counters"] == {"unseen": 1, "unread": 1}
    shown = document["notification"]
    assert (shown["kind"], shown["text"], shown["count"]) == ("like", "bob liked your photo", 1)
    assert (shown["photo_id"], shown["seen"], shown["read"]) == (encode(photo.id), False, False)
    assert [actor["username"] for actor in shown["actors"]] == ["bob"]
    expected = {"type": "photo.liked", "photo_id": encode(photo.id), "likes": 1, "comments": 0}
    assert await stage.on_topics() == [(f"photo:{encode(photo.id)}", {**expected, "version": state.version})]
    assert await stage.engagement.read([photo.id], bob.id) == {photo.id: (1, 0, True)}
    missed = await stage.notification_log.since(ann.id, epoch, before)
    assert missed is not None
    assert [(entry.offset, encode(entry.id)) for entry in missed.entries] == [(told.offset, shown["id"])]


async def test_others_gather(stage: Stage) -> None:
    """Several likes gather in one notification that is told anew each time."""
    ann, *others = await people(stage.database, "ann", "bob", "cat", "dan", "eve")
    photo = await ready_photo(stage.database, ann)
    await quiet(stage, ann)
    for other in others:
        await stage.like(other, photo)
        await stage.pump()
    documents = [message.document for message in await stage.told(ann)]
    assert len({document["notification"]["id"] for document in documents}) == 1
    assert [document["notification"]["count"] for document in documents] == [1, 2, 3, 4]
    assert documents[-1]["notification"]["text"] == "eve and 3 others liked your photo"
    assert documents[-1]["counters"] == {"unseen": 1, "unread": 1}


async def test_repeated(stage: Stage) -> None:
    """A repeated event makes no second notification and does not count twice."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await quiet(stage, ann)
    await stage.like(bob, photo)
    event = LikeAdded(photo_id=photo.id, owner_id=ann.id, user_id=bob.id)
    await asyncio.gather(*(stage.notify.like_changed(event) for _ in range(5)))
    documents = [message.document for message in await stage.told(ann)]
    assert {document["notification"]["id"] for document in documents} == {documents[0]["notification"]["id"]}
    assert {document["counters"]["unread"] for document in documents} == {1}
    assert await inbox(stage, ann) == ["bob liked your photo"]


async def test_own_like(stage: Stage) -> None:
    """Nobody is told of their own likes and comments, but who looks at the photo sees them counted."""
    ann = await person(stage.database, "ann")
    photo = await ready_photo(stage.database, ann)
    await quiet(stage, ann)
    await stage.like(ann, photo)
    await comment(stage, ann, photo, "mine")
    await stage.pump()
    assert await stage.told() == []
    assert [document["type"] for _, document in await stage.on_topics()] == ["photo.liked", "photo.commented"]


async def test_muted(stage: Stage) -> None:
    """Nobody is told of what people do whom they muted."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await relations.mute(tx, ann.id, bob.id)
    await quiet(stage, ann)
    await stage.like(bob, photo)
    await stage.pump()
    assert await stage.told() == []


async def test_unlike(stage: Stage) -> None:
    """When a like is taken back the notification shrinks, and goes when nobody stands behind it any more."""
    ann, bob, cat = await people(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    await stage.like(bob, photo)
    await stage.like(cat, photo)
    await quiet(stage, ann)
    await stage.unlike(cat, photo)
    await stage.pump()
    (told,) = await stage.told(ann)
    assert told.document["notification"]["text"] == "bob liked your photo"
    entry_id = told.document["notification"]["id"]
    await stage.unlike(bob, photo)
    await stage.pump()
    (told,) = await stage.told(ann)
    assert told.document == {
        "type": "notification.removed",
        "notification_id": entry_id,
        "counters": {"unseen": 0, "unread": 0},
    }
    assert await inbox(stage, ann) == []
    topic = f"photo:{encode(photo.id)}"
    said = await stage.on_topics()
    assert [(name, document["type"], document["likes"]) for name, document in said] == [
        (topic, "photo.unliked", 1),
        (topic, "photo.unliked", 0),
    ]
    assert await stage.engagement.read([photo.id], bob.id) == {photo.id: (0, 0, False)}


async def test_order_does_not_matter(stage: Stage) -> None:
    """However the events of likes given and taken back are ordered, the inbox ends as the likes are."""
    ann, bob, cat = await people(stage.database, "ann", "bob", "cat")
    rng = random.Random(3)
    for _ in range(6):
        photo = await ready_photo(stage.database, ann)
        await stage.like(cat, photo)
        acts: list[LikeAdded | LikeRemoved] = []
        for number in range(rng.choice((3, 4))):
            await (stage.unlike if number % 2 else stage.like)(bob, photo)
            kind = LikeRemoved if number % 2 else LikeAdded
            acts.append(kind(photo_id=photo.id, owner_id=ann.id, user_id=bob.id))
        rng.shuffle(acts)
        await asyncio.gather(*(stage.notify.like_changed(act) for act in acts))
        await stage.pump()
        liked = len(acts) % 2 == 1
        entries = await notifications.inbox(stage.database, ann.id, before=None, limit=1)
        assert entries[0].photo_id == photo.id
        assert entries[0].count == (2 if liked else 1)


async def test_toggled_while_told(stage: Stage) -> None:
    """A like that is taken back while it is being told of leaves no notification behind."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    event = {"photo_id": photo.id, "owner_id": ann.id, "user_id": bob.id}
    for _ in range(10):
        await stage.like(bob, photo)
        telling = asyncio.create_task(stage.notify.like_changed(LikeAdded(**event)))
        await stage.unlike(bob, photo)
        await asyncio.gather(telling, stage.notify.like_changed(LikeRemoved(**event)))
        assert await inbox(stage, ann) == []


async def test_last_told_is_right(stage: Stage) -> None:
    """Of many likes at the same moment, what is told last counts them all."""
    ann, *others = await people(stage.database, "ann", *(f"fan{number}" for number in range(8)))
    photo = await ready_photo(stage.database, ann)
    await quiet(stage, ann)
    for other in others:
        await stage.like(other, photo)
    events = [LikeAdded(photo_id=photo.id, owner_id=ann.id, user_id=other.id) for other in others]
    await asyncio.gather(*(stage.notify.like_changed(event) for event in events))
    last = max(await stage.told(ann), key=lambda message: message.offset)
    assert last.document["notification"]["count"] == 8


async def test_comment(stage: Stage) -> None:
    """The owner is told of a comment, and who looks at the photo sees it with its text."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await quiet(stage, ann)
    said = await comment(stage, bob, photo, "What a <b>view</b>!")
    await stage.pump()
    (told,) = await stage.told()
    assert told.document["notification"]["text"] == "bob commented on your photo"
    ((topic, document),) = await stage.on_topics()
    assert topic == f"photo:{encode(photo.id)}"
    assert (document["type"], document["comments"]) == ("photo.commented", 1)
    assert document["comment"] == comment_fields(said)
    assert document["comment"]["text"] == "What a <b>view</b>!"


async def test_comment_deleted(stage: Stage) -> None:
    """A deleted comment takes its notification along, and who looks at the photo sees it go."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    said = await comment(stage, bob, photo, "oops")
    await quiet(stage, ann)
    async with stage.database.transaction() as tx:
        await comments.delete(tx, said.id, user_id=ann.id)
    await stage.pump()
    (told,) = await stage.told()
    assert told.document["type"] == "notification.removed"
    ((_, document),) = await stage.on_topics()
    assert (document["type"], document["comment_id"]) == ("photo.comment_deleted", encode(said.id))
    assert document["comments"] == 0
    # The event of the comment itself comes late: it is gone, and nobody hears of it.
    late = CommentAdded(comment_id=said.id, photo_id=photo.id, owner_id=ann.id, user_id=bob.id)
    await stage.notify.commented(late)
    assert await stage.told() == []
    assert await inbox(stage, ann) == []


async def test_rejected_photo(stage: Stage) -> None:
    """The author of a photo that cannot be shown is told why, once."""
    ann = await person(stage.database, "ann")
    photo = await processing_photo(stage.database, ann)
    await quiet(stage, ann)
    async with stage.database.transaction() as tx:
        await photos.mark_rejected(tx, photo.id, reason="the picture is damaged or cut off")
    await stage.pump()
    await stage.notify.rejected(PhotoRejected(photo_id=photo.id, author_id=ann.id))
    documents = [message.document for message in await stage.told(ann)]
    assert documents[0]["notification"]["kind"] == "photo_rejected"
    assert documents[0]["notification"]["text"] == ("Your photo could not be shown: the picture is damaged or cut off")
    assert {document["counters"]["unread"] for document in documents} == {1}
    assert len(await inbox(stage, ann)) == 1


async def test_deleted_photo(stage: Stage) -> None:
    """Events about a photo that is deleted meanwhile are over."""
    ann, bob = await people(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await quiet(stage, ann)
    await stage.like(bob, photo)
    said = await comment(stage, bob, photo, "late")
    async with stage.database.transaction() as tx:
        await photos.delete(tx, photo.id, author_id=ann.id)
    await stage.pump()
    await stage.notify.commented(CommentAdded(comment_id=said.id, photo_id=photo.id, owner_id=ann.id, user_id=bob.id))
    told = [message for message in await stage.told(ann) if message.body["stream"] == "notifications"]
    assert told == []


async def test_what_goes_with_a_photo(stage: Stage) -> None:
    """Who deletes a photo is told which notifications went with it, and how many are left."""
    ann, bob = await people(stage.database, "ann", "bob")
    gone, kept = await ready_photo(stage.database, ann), await ready_photo(stage.database, ann)
    await quiet(stage, ann)
    for photo in (gone, kept):
        await stage.like(bob, photo)
    await comment(stage, bob, gone, "nice")
    await stage.pump()
    listed = await notifications.inbox(stage.database, ann.id, before=None, limit=10)
    there = {encode(entry.id) for entry in listed if entry.photo_id == gone.id}
    assert len(there) == 2
    await stage.told(ann)
    async with stage.database.transaction() as tx:
        await photos.delete(tx, gone.id, author_id=ann.id)
    await stage.pump()
    documents = [m.document for m in await stage.told(ann) if m.body["stream"] == "notifications"]
    assert {document["notification_id"] for document in documents} == there
    assert {document["type"] for document in documents} == {"notification.removed"}
    assert documents[-1]["counters"] == {"unseen": 1, "unread": 1}
