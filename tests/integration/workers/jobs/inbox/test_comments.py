"""Notifications and live publications of replies, mentions, edits, pins and likes of comments."""

from __future__ import annotations

import asyncio

import pytest

from storage.events import CommentEdited, CommentLiked, PhotoReady
from storage.ids import encode
from storage.models import Comment, Photo, User
from storage.render.comment import comment_fields
from storage.stores.accounts import account_fields, users
from storage.stores.comments import comment_deletion, comment_likes, comment_pins, comments
from storage.stores.notifications import notifications
from storage.stores.photos import photo_deletion, photo_edits
from storage.stores.social import blocks
from tests.support.community import block, follow, new_users, ready_photo
from tests.support.inboxes import counters_json
from tests.support.stage import Stage, inbox, start_clean

pytestmark = pytest.mark.engines


async def write(
    stage: Stage, author: User, photo: Photo, text: str = "x", *, reply_to: Comment | None = None
) -> Comment:
    """Write a comment or a reply."""
    async with stage.database.transaction() as tx:
        parent_id = None if reply_to is None else reply_to.id
        return (await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text, reply_to=parent_id))[0]


async def edit(stage: Stage, comment: Comment, text: str) -> None:
    """Edit a comment."""
    async with stage.database.transaction() as tx:
        await comments.edit(tx, comment.id, author_id=comment.author.id, text=text)


async def delete(stage: Stage, comment: Comment) -> None:
    """Delete a comment."""
    async with stage.database.transaction() as tx:
        await comment_deletion.delete(tx, comment.id, user_id=comment.author.id)


async def like(stage: Stage, comment: Comment, *likers: User, act: str = "add") -> None:
    """Like a comment, or remove likes."""
    for user in likers:
        async with stage.database.transaction() as tx:
            await getattr(comment_likes, act)(tx, comment_id=comment.id, user_id=user.id)


async def test_a_comment_notifies_each_user_once(stage: Stage) -> None:
    """Of a reply, else of a comment on the own photo, else of a mention; its author is not notified."""
    ann, ben, cat, dan = await new_users(stage.database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(stage.database, ann)
    top = await write(stage, ben, photo)
    reply = await write(stage, cat, photo, "@ann @ben @cat @dan @dan", reply_to=top)
    await stage.pump()
    assert await inbox(stage, ann) == ["cat commented on your photo", "ben commented on your photo"]
    assert await inbox(stage, ben) == ["cat replied to your comment"]
    assert await inbox(stage, cat) == []
    assert await inbox(stage, dan) == ["cat mentioned you in a comment"]
    (entry,) = await notifications.inbox(stage.database, dan.id, before=None, limit=9)
    assert (entry.photo_id, entry.comment and entry.comment.id) == (photo.id, reply.id)
    mine = await write(stage, ann, photo, reply_to=reply)
    answer = await write(stage, ben, photo, reply_to=mine)
    await stage.pump()
    assert (await inbox(stage, ann))[0] == "ben replied to your comment"
    assert await inbox(stage, cat) == ["ann replied to your comment"]
    for comment in (reply, mine, answer):
        await delete(stage, comment)
    await stage.pump()
    assert await inbox(stage, ann) == ["ben commented on your photo"]
    assert [await inbox(stage, user) for user in (ben, cat, dan)] == [[], [], []]


async def test_mentions_are_withheld(stage: Stage) -> None:
    """From users who may not see the photo, and where either user blocks or mutes the other."""
    ann, eve = await new_users(stage.database, "ann", "eve")
    names = ("friend", "stranger", "blocking", "blocked", "unwanted", "muting", "muted")
    users_named = dict(zip(names, await new_users(stage.database, *names), strict=True))
    for user in (eve, *(user for name, user in users_named.items() if name != "stranger")):
        await follow(stage.database, user, ann)
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    photo = await ready_photo(stage.database, ann)
    top = await write(stage, eve, photo, " ".join(f"@{name}" for name in names))
    assert len(top.mentions) == len(names)
    await block(stage.database, users_named["blocking"], eve)
    await block(stage.database, eve, users_named["blocked"])
    await block(stage.database, ann, users_named["unwanted"])
    async with stage.database.transaction() as tx:
        await blocks.mute(tx, users_named["muting"].id, eve.id)
        await blocks.mute(tx, eve.id, users_named["muted"].id)
    await stage.pump()
    inboxes = {name: await inbox(stage, user) for name, user in users_named.items()}
    assert inboxes == {name: [] for name in names} | {"friend": ["eve mentioned you in a comment"]}


async def test_an_edit_adds_new_mentions_and_withdraws_removed_ones(stage: Stage) -> None:
    """Those that stay are not announced again, whatever the order of the events, and the edit is published."""
    ann, ben, cat, dan = await new_users(stage.database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(stage.database, ann)
    top = await write(stage, dan, photo, "@ben @cat")
    await start_clean(stage, ben, cat)
    await edit(stage, top, "@cat @ann!")
    await stage.pump()
    assert [await inbox(stage, user) for user in (ben, cat)] == [[], ["dan mentioned you in a comment"]]
    assert await inbox(stage, ann) == ["dan commented on your photo"]
    assert [message.document["type"] for message in await stage.deliveries(cat)] == []
    ((_, document),) = await stage.topic_publications()
    assert document["type"] == "photo.comment_edited"
    assert document["comment"] == comment_fields(await comments.get(stage.database, top.id))
    assert stage.authors == [[dan.id]]
    event = CommentEdited(
        comment_id=top.id, photo_id=photo.id, owner_id=ann.id, user_id=dan.id, mentions=[ben.id, cat.id]
    )
    await asyncio.gather(*(stage.comments.edited(event) for _ in range(3)))
    assert [await inbox(stage, user) for user in (ben, cat)] == [[], ["dan mentioned you in a comment"]]


async def test_likes_of_a_comment_are_one_notification(stage: Stage) -> None:
    """Those of another comment on the photo are another; removed likes leave, and all go with the comment."""
    ann, ben, cat, dan = await new_users(stage.database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(stage.database, ann)
    top, other = await write(stage, ben, photo, "one"), await write(stage, ben, photo, "two")
    await start_clean(stage, ben)
    await like(stage, top, ann, cat, ben)
    await like(stage, other, dan)
    await stage.pump()
    assert await inbox(stage, ben) == ["dan liked your comment", "cat and ann liked your comment"]
    entries = await notifications.inbox(stage.database, ben.id, before=None, limit=9)
    assert [entry.comment and entry.comment.excerpt for entry in entries] == ["two", "one"]
    published = [document for _, document in await stage.topic_publications()]
    assert {document["type"] for document in published} == {"photo.comment_liked"}
    assert published[-1]["comment_state"] == {
        "id": encode(other.id), "likes": 1, "replies": 0, "pinned": False, "version": 1,
    }  # fmt: skip
    await like(stage, top, cat, act="remove")
    await stage.pump()
    assert (await inbox(stage, ben))[1] == "ann liked your comment"
    ((_, document),) = await stage.topic_publications()
    assert (document["type"], document["comment_state"]["likes"]) == ("photo.comment_unliked", 2)
    await delete(stage, top)
    await stage.pump()
    late = CommentLiked(comment_id=top.id, photo_id=photo.id, author_id=ben.id, user_id=ann.id)
    await stage.comments.like_changed(late)
    assert await inbox(stage, ben) == ["dan liked your comment"]


async def test_replies_and_pins_are_published_with_the_state_of_the_comment(stage: Stage) -> None:
    """A reply and its deletion carry the comment above it; a pin carries no text, which some may not see."""
    ann, ben = await new_users(stage.database, "ann", "ben")
    photo = await ready_photo(stage.database, ann)
    top = await write(stage, ben, photo)
    await start_clean(stage)
    reply = await write(stage, ann, photo, reply_to=top)
    await stage.pump()
    async with stage.database.transaction() as tx:
        await comment_pins.pin(tx, top.id, owner_id=ann.id)
    await stage.pump()
    await delete(stage, reply)
    await stage.pump()
    published = [document for _, document in await stage.topic_publications()]
    assert [document["type"] for document in published] == [
        "photo.commented", "photo.comment_pinned", "photo.comment_deleted",
    ]  # fmt: skip
    assert published[0]["comment"]["reply_to"] == encode(top.id)
    states = [document["comment_state"] for document in published]
    assert [(state["replies"], state["pinned"], state["version"]) for state in states] == [
        (1, False, 1), (1, True, 2), (0, True, 3),
    ]  # fmt: skip
    assert [document.get("comments") for document in published] == [2, None, 1]
    assert "comment" not in published[1]


async def test_the_cached_numbers_of_a_photo_follow_its_comments(stage: Stage) -> None:
    """Also where the process that wrote the comment could not change them."""
    ann, ben = await new_users(stage.database, "ann", "ben")
    photo = await ready_photo(stage.database, ann)
    assert await stage.counter_cache.read([photo.id], ben.id) == {photo.id: (0, 0, False)}
    comment = await write(stage, ben, photo)
    await stage.pump()
    assert await stage.counter_cache.read([photo.id], ben.id) == {photo.id: (0, 1, False)}
    await delete(stage, comment)
    await stage.pump()
    assert await stage.counter_cache.read([photo.id], ben.id) == {photo.id: (0, 0, False)}


async def test_publications_name_all_authors_of_a_thread(stage: Stage) -> None:
    """What is published of a comment does not reach those that a block separates from it, or from the one above it."""
    ann, ben, cat, dan = await new_users(stage.database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(stage.database, ann)
    top = await write(stage, ben, photo)
    await start_clean(stage)
    reply = await write(stage, cat, photo, reply_to=top)
    await stage.pump()
    await edit(stage, reply, "y")
    await like(stage, reply, dan)
    await like(stage, reply, dan, act="remove")
    await stage.pump()
    await delete(stage, reply)
    await stage.pump()
    await like(stage, top, dan)
    async with stage.database.transaction() as tx:
        await comment_pins.pin(tx, top.id, owner_id=ann.id)
    await stage.pump()
    await stage.topic_publications()
    of_reply, of_like = {cat.id, ben.id}, {dan.id, cat.id, ben.id}
    assert [set(authors) for authors in stage.authors] == [
        of_reply, of_reply, of_like, of_like, of_reply, {dan.id, ben.id}, {ann.id, ben.id},
    ]  # fmt: skip


async def test_nothing_is_notified_of_a_thread_that_the_user_does_not_see(stage: Stage) -> None:
    """A block between a user and the author of a comment hides the replies to it, and what is derived from them."""
    ann, ben, cat, dan = await new_users(stage.database, "ann", "ben", "cat", "dan")
    photo = await ready_photo(stage.database, ann)
    hidden = await write(stage, ben, photo)
    own = await write(stage, cat, photo, reply_to=hidden)
    await write(stage, dan, photo, "before, @cat", reply_to=hidden)
    await stage.pump()
    await block(stage.database, cat, ben)
    await stage.pump()
    (entry,) = await notifications.inbox(stage.database, cat.id, before=None, limit=9)
    assert entry.comment is None
    await write(stage, dan, photo, "after, @cat", reply_to=hidden)
    await write(stage, dan, photo, reply_to=own)
    await like(stage, own, dan)
    await stage.pump()
    assert await inbox(stage, cat) == ["dan mentioned you in a comment"]


async def test_captions_mention_once_the_photo_is_shown(stage: Stage) -> None:
    """An edit withdraws a mention, and the notifications in the inboxes of others go with the photo."""
    ann, ben, cat = await new_users(stage.database, "ann", "ben", "cat")
    photo = await ready_photo(stage.database, ann, caption="with @ben and @ann")
    await write(stage, ann, photo, "@cat")
    await stage.pump()
    await stage.comments.photo_ready(PhotoReady(photo_id=photo.id, author_id=ann.id))
    assert [await inbox(stage, user) for user in (ann, ben)] == [[], ["ann mentioned you in a caption"]]
    async with stage.database.transaction() as tx:
        await photo_edits.edit(tx, photo.id, author_id=ann.id, caption="with @cat")
    await start_clean(stage, cat)
    assert await inbox(stage, ben) == []
    assert await inbox(stage, cat) == ["ann mentioned you in a caption", "ann mentioned you in a comment"]
    async with stage.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    await stage.pump()
    assert await inbox(stage, cat) == []
    documents = [message.document for message in await stage.deliveries(cat)]
    assert [document["type"] for document in documents] == ["notification.removed"] * 2
    assert documents[-1]["counters"] == counters_json()


async def test_a_deleted_account_leaves_no_notification_about_its_photos(stage: Stage) -> None:
    """Those of comments below them are removed from the inboxes of others, in batches."""
    ann, ben, cat = await new_users(stage.database, "ann", "ben", "cat")
    photo = await ready_photo(stage.database, ann)
    top = await write(stage, ben, photo)
    await write(stage, cat, photo, "hi @ben", reply_to=top)
    await like(stage, top, cat)
    await stage.pump()
    assert len(await inbox(stage, ben)) == 2
    async with stage.database.transaction() as tx:
        await users.remove(tx, ann.id)
    await stage.pump()
    assert await inbox(stage, ben) == []


async def test_a_comment_is_read_only_as_long_as_its_photo(stage: Stage) -> None:
    """A notification about a comment shows nothing of it to a user who may not see the photo any more."""
    ann, ben, cat = await new_users(stage.database, "ann", "ben", "cat")
    photo = await ready_photo(stage.database, ann)
    await write(stage, cat, photo, "secret for @ben")
    await stage.pump()
    (entry,) = await notifications.inbox(stage.database, ben.id, before=None, limit=9)
    assert entry.comment is not None
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    (entry,) = await notifications.inbox(stage.database, ben.id, before=None, limit=9)
    assert entry.comment is None
