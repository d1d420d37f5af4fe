"""Notifications of likes, comments and rejected photos: recorded once, and retracted with their cause."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from storage.cache.photo_trends import PhotoTrends
from storage.events import CommentAdded, LikeAdded, LikeRemoved, PhotoRejected
from storage.ids import encode
from storage.models import Comment, Photo, PhotoCounters, User
from storage.render.comment import comment_fields
from storage.stores.comments import comment_deletion, comments
from storage.stores.notifications import notifications
from storage.stores.photos import likes, photo_deletion, photo_processing
from storage.stores.social import blocks
from tests.support.community import new_user, new_users, old_users, processing_photo, ready_photo
from tests.support.eventually import eventually
from tests.support.inboxes import counters_json
from tests.support.stage import Delivery, Stage, inbox, start_clean
from workers.jobs.inbox import photo_counters

pytestmark = pytest.mark.engines


async def comment(stage: Stage, author: User, photo: Photo, text: str) -> Comment:
    """Write a comment."""
    async with stage.database.transaction() as tx:
        return (await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text))[0]


async def test_a_like_is_published(stage: Stage) -> None:
    """The owner gets a notification with the actor and the counters; subscribers of the photo get the new count."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann, bob)
    epoch, before = await stage.notification_log.position(ann.id)
    state = await stage.like(bob, photo)
    await stage.pump()
    (delivery,) = await stage.deliveries()
    assert (delivery.user_id, delivery.body["stream"]) == (ann.id, "notifications")
    document = delivery.document
    assert document["type"] == "notification"
    assert document["counters"] == counters_json(like=(1, 1))
    shown = document["notification"]
    assert (shown["kind"], shown["text"], shown["count"]) == ("like", "bob liked your photo", 1)
    assert (shown["photo_id"], shown["seen"], shown["read"]) == (encode(photo.id), False, False)
    assert [actor["username"] for actor in shown["actors"]] == ["bob"]
    expected = {"type": "photo.liked", "photo_id": encode(photo.id), "likes": 1, "comments": 0}
    assert await stage.topic_publications() == [(f"photo:{encode(photo.id)}", {**expected, "version": state.version})]
    assert stage.authors == [[bob.id]]
    assert await stage.counter_cache.read([photo.id], bob.id) == {photo.id: (1, 0, True)}
    missed = await stage.notification_log.since(ann.id, epoch, before)
    assert missed is not None
    assert [(entry.offset, encode(entry.id)) for entry in missed.entries] == [(delivery.offset, shown["id"])]


async def test_a_notification_does_not_wait_for_the_counters(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner is notified while the photo's counters are still being read, and they are published afterwards."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    read, notified = photo_counters.read, asyncio.Event()

    async def read_later(*arguments: Any) -> PhotoCounters | None:
        await notified.wait()
        return await read(*arguments)

    monkeypatch.setattr(photo_counters, "read", read_later)
    await stage.like(bob, photo)
    handling = asyncio.create_task(stage.pump())
    delivered: list[Delivery] = []

    async def delivery() -> bool:
        delivered.extend(await stage.deliveries(ann))
        return bool(delivered)

    await eventually(delivery)
    notified.set()
    await handling
    assert [document["likes"] for _, document in await stage.topic_publications()] == [1]


async def test_publications_on_a_photo_name_their_author(stage: Stage) -> None:
    """Likes, comments and their end name the user whose act they show, so that they do not cross a block."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    await stage.like(bob, photo)
    written = await comment(stage, cat, photo, "high!")
    await stage.pump()
    async with stage.database.transaction() as tx:
        await likes.remove(tx, photo_id=photo.id, user_id=bob.id)
        await comment_deletion.delete(tx, written.id, user_id=ann.id)  # by the owner: the author is still the comment's
    await stage.pump()
    kinds = [document["type"] for _, document in await stage.topic_publications()]
    assert kinds == ["photo.liked", "photo.commented", "photo.unliked", "photo.comment_deleted"]
    assert stage.authors == [[bob.id], [cat.id], [bob.id], [cat.id]]


async def test_likes_share_a_notification(stage: Stage) -> None:
    """Several likes share one notification, which is published again for each."""
    ann, *others = await new_users(stage.database, "ann", "bob", "cat", "dan", "eve")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    for other in others:
        await stage.like(other, photo)
        await stage.pump()
    documents = [message.document for message in await stage.deliveries(ann)]
    assert len({document["notification"]["id"] for document in documents}) == 1
    assert [document["notification"]["count"] for document in documents] == [1, 2, 3, 4]
    assert documents[-1]["notification"]["text"] == "eve and 3 others liked your photo"
    assert documents[-1]["counters"] == counters_json(like=(1, 1))


async def test_a_repeated_event_counts_once(stage: Stage) -> None:
    """A repeated event creates no second notification and does not count twice."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    await stage.like(bob, photo)
    event = LikeAdded(photo_id=photo.id, owner_id=ann.id, user_id=bob.id)
    await asyncio.gather(*(stage.notify.like_changed(event) for _ in range(5)))
    documents = [message.document for message in await stage.deliveries(ann)]
    assert {document["notification"]["id"] for document in documents} == {documents[0]["notification"]["id"]}
    assert {document["counters"]["unread"] for document in documents} == {1}
    assert await inbox(stage, ann) == ["bob liked your photo"]


async def test_own_activities_are_not_notified(stage: Stage) -> None:
    """Own likes and comments create no notification, and are published on the photo's topic."""
    ann = await new_user(stage.database, "ann")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    await stage.like(ann, photo)
    await comment(stage, ann, photo, "mine")
    await stage.pump()
    assert await stage.deliveries() == []
    assert [document["type"] for _, document in await stage.topic_publications()] == ["photo.liked", "photo.commented"]


async def test_muted_users_are_not_notified(stage: Stage) -> None:
    """Activities of a muted user create no notification."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await blocks.mute(tx, ann.id, bob.id)
    await start_clean(stage, ann)
    await stage.like(bob, photo)
    await stage.pump()
    assert await stage.deliveries() == []


async def test_a_removed_like_is_retracted(stage: Stage) -> None:
    """Removed likes leave the notification one by one, and the last removes it."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    await stage.like(bob, photo)
    await stage.like(cat, photo)
    await start_clean(stage, ann)
    await stage.unlike(cat, photo)
    await stage.pump()
    (delivery,) = await stage.deliveries(ann)
    assert delivery.document["type"] == "notification.changed"
    assert delivery.document["notification"]["text"] == "bob liked your photo"
    entry_id = delivery.document["notification"]["id"]
    await stage.unlike(bob, photo)
    await stage.pump()
    (delivery,) = await stage.deliveries(ann)
    assert delivery.document == {
        "type": "notification.removed",
        "notification_id": entry_id,
        "counters": counters_json(),
    }
    assert await inbox(stage, ann) == []
    topic = f"photo:{encode(photo.id)}"
    published = await stage.topic_publications()
    assert [(name, document["type"], document["likes"]) for name, document in published] == [
        (topic, "photo.unliked", 1),
        (topic, "photo.unliked", 0),
    ]
    assert await stage.counter_cache.read([photo.id], bob.id) == {photo.id: (0, 0, False)}


async def test_a_like_given_and_taken_in_turn_is_announced_once(stage: Stage) -> None:
    """A like that is taken back and given again is announced once, also where all its events are handled late."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo, other = await ready_photo(stage.database, ann), await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    for _ in range(3):
        await stage.like(bob, photo)
        await stage.pump()
        await stage.unlike(bob, photo)
        await stage.pump()
    for _ in range(3):
        await stage.like(bob, other)
        await stage.unlike(bob, other)
    await stage.like(bob, other)
    await stage.pump()
    published = [message.document for message in await stage.deliveries(ann)]
    news = [document["notification"]["photo_id"] for document in published if document["type"] == "notification"]
    assert news == [encode(photo.id), encode(other.id)]
    assert await inbox(stage, ann) == ["bob liked your photo"]


async def test_the_order_of_events_does_not_matter(stage: Stage) -> None:
    """In whatever order the events of likes and removals are handled, the inbox ends like the likes."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    rng = random.Random(3)
    for _ in range(6):
        photo = await ready_photo(stage.database, ann)
        await stage.like(cat, photo)
        events: list[LikeAdded | LikeRemoved] = []
        for number in range(rng.choice((3, 4))):
            await (stage.unlike if number % 2 else stage.like)(bob, photo)
            kind = LikeRemoved if number % 2 else LikeAdded
            events.append(kind(photo_id=photo.id, owner_id=ann.id, user_id=bob.id))
        rng.shuffle(events)
        await asyncio.gather(*(stage.notify.like_changed(event) for event in events))
        await stage.pump()
        liked = len(events) % 2 == 1
        entries = await notifications.inbox(stage.database, ann.id, before=None, limit=1)
        assert entries[0].photo_id == photo.id
        assert entries[0].count == (2 if liked else 1)


async def test_a_like_removed_while_it_is_handled_leaves_nothing(stage: Stage) -> None:
    """A like that is removed while it is handled leaves no notification."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    event = {"photo_id": photo.id, "owner_id": ann.id, "user_id": bob.id}
    for _ in range(10):
        await stage.like(bob, photo)
        handling = asyncio.create_task(stage.notify.like_changed(LikeAdded(**event)))
        await stage.unlike(bob, photo)
        await asyncio.gather(handling, stage.notify.like_changed(LikeRemoved(**event)))
        assert await inbox(stage, ann) == []


async def test_the_last_publication_counts_all(stage: Stage) -> None:
    """Of many likes at the same moment, the last publication counts them all."""
    ann, *others = await new_users(stage.database, "ann", *(f"fan{number}" for number in range(8)))
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    for other in others:
        await stage.like(other, photo)
    events = [LikeAdded(photo_id=photo.id, owner_id=ann.id, user_id=other.id) for other in others]
    await asyncio.gather(*(stage.notify.like_changed(event) for event in events))
    last = max(await stage.deliveries(ann), key=lambda message: message.offset)
    assert last.document["notification"]["count"] == 8


async def test_a_comment_is_published(stage: Stage) -> None:
    """The owner gets a notification of a comment, and the photo's subscribers get it with its text."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    written = await comment(stage, bob, photo, "What a <b>view</b>!")
    await stage.pump()
    (delivery,) = await stage.deliveries()
    assert delivery.document["notification"]["text"] == "bob commented on your photo"
    ((topic, document),) = await stage.topic_publications()
    assert topic == f"photo:{encode(photo.id)}"
    assert (document["type"], document["comments"]) == ("photo.commented", 1)
    assert document["comment"] == comment_fields(written)
    assert document["comment"]["text"] == "What a <b>view</b>!"


async def test_a_deleted_comment_is_retracted(stage: Stage) -> None:
    """A deleted comment removes its notification, and the photo's subscribers are informed."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    written = await comment(stage, bob, photo, "oops")
    await start_clean(stage, ann)
    async with stage.database.transaction() as tx:
        await comment_deletion.delete(tx, written.id, user_id=ann.id)
    await stage.pump()
    (delivery,) = await stage.deliveries()
    assert delivery.document["type"] == "notification.removed"
    ((_, document),) = await stage.topic_publications()
    assert (document["type"], document["comment_id"]) == ("photo.comment_deleted", encode(written.id))
    assert document["comments"] == 0
    # The event of the comment itself comes late, and publishes nothing.
    late = CommentAdded(comment_id=written.id, photo_id=photo.id, owner_id=ann.id, user_id=bob.id)
    await stage.comments.added(late)
    assert await stage.deliveries() == []
    assert await inbox(stage, ann) == []


async def test_a_rejected_photo_is_notified_once(stage: Stage) -> None:
    """The author of a rejected photo gets one notification with the reason."""
    ann = await new_user(stage.database, "ann")
    photo = await processing_photo(stage.database, ann)
    await start_clean(stage, ann)
    async with stage.database.transaction() as tx:
        await photo_processing.mark_rejected(tx, photo.id, reason="the picture is damaged or cut off")
    await stage.pump()
    await stage.notify.rejected(PhotoRejected(photo_id=photo.id, author_id=ann.id))
    documents = [message.document for message in await stage.deliveries(ann)]
    assert documents[0]["notification"]["kind"] == "photo_rejected"
    assert documents[0]["notification"]["text"] == ("Your photo could not be shown: the picture is damaged or cut off")
    assert {document["counters"]["unread"] for document in documents} == {1}
    assert len(await inbox(stage, ann)) == 1


async def test_events_of_a_deleted_photo_do_nothing(stage: Stage) -> None:
    """Likes and comments of a photo that was deleted before they are handled create no notification."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    await stage.like(bob, photo)
    written = await comment(stage, bob, photo, "late")
    async with stage.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    await stage.pump()
    await stage.comments.added(CommentAdded(comment_id=written.id, photo_id=photo.id, owner_id=ann.id, user_id=bob.id))
    deliveries = [message for message in await stage.deliveries(ann) if message.body["stream"] == "notifications"]
    assert deliveries == []


async def test_notifications_deleted_with_a_photo_are_published(stage: Stage) -> None:
    """The author of a deleted photo gets the removal of its notifications, and the counters after it."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    gone, kept = await ready_photo(stage.database, ann), await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    for photo in (gone, kept):
        await stage.like(bob, photo)
    await comment(stage, bob, gone, "nice")
    await stage.pump()
    listed = await notifications.inbox(stage.database, ann.id, before=None, limit=10)
    there = {encode(entry.id) for entry in listed if entry.photo_id == gone.id}
    assert len(there) == 2
    await stage.deliveries(ann)
    async with stage.database.transaction() as tx:
        await photo_deletion.delete(tx, gone.id, author_id=ann.id)
    await stage.pump()
    documents = [m.document for m in await stage.deliveries(ann) if m.body["stream"] == "notifications"]
    assert {document["notification_id"] for document in documents} == there
    assert {document["type"] for document in documents} == {"notification.removed"}
    assert documents[-1]["counters"] == counters_json(like=(1, 1))


async def test_a_photo_that_begins_to_trend_is_announced_once(stage: Stage) -> None:
    """The first like or comment that counts brings it into the ranking, and an event says so; the second does not."""
    ann, *others = await old_users(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage)
    await stage.like(await new_user(stage.database, "new"), photo)
    await stage.pump()
    ranking = PhotoTrends(stage.redis)
    assert await ranking.ranking() == []
    scores = []
    for other in others:
        await stage.like(other, photo)
        await comment(stage, other, photo, "high!")
        await stage.pump()
        ((photo_id, score),) = await ranking.ranking()
        assert photo_id == photo.id
        scores.append(score)
    assert scores == sorted(scores)
    assert stage.seen.count("photo.trending") == 1
