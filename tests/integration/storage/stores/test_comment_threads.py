"""Replies, likes, edits, pins and mentions of comments in a real database."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from storage import events
from storage.errors import ConflictError, NotFoundError
from storage.models import Comment, CommentOrder, Photo, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, erasure, users
from storage.stores.comments import comment_deletion, comment_likes, comment_lists, comment_pins, comments
from storage.stores.comments.comment_lists import Place
from storage.stores.photos import photo_deletion, photo_edits, photo_lists
from tests.support.community import block, new_user, new_users, ready_photo, topics

pytestmark = pytest.mark.engines


async def write(
    database: Database, photo: Photo, author: User, text: str = "x", *, reply_to: Comment | None = None
) -> Comment:
    """Write a comment or a reply."""
    async with database.transaction() as tx:
        parent_id = None if reply_to is None else reply_to.id
        return (await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text, reply_to=parent_id))[0]


async def like(database: Database, comment: Comment, *likers: User) -> None:
    """Like a comment."""
    for user in likers:
        async with database.transaction() as tx:
            await comment_likes.add(tx, comment_id=comment.id, user_id=user.id)


async def listed(database: Database, photo: Photo, viewer: User | None, **options: object) -> list[int]:
    """Return the ids of the comments below a photo, read in pages of two."""
    found: list[Comment] = []
    viewer_id = None if viewer is None else viewer.id
    while True:
        after = Place.of(found[-1]) if found else None
        page = await comment_lists.page(database, photo.id, viewer_id=viewer_id, after=after, limit=2, **options)  # type: ignore[arg-type]
        found += page
        if len(page) < 2:
            return [comment.id for comment in found]


async def counted(database: Database, photo: Photo) -> int:
    """Return the photo's number of comments."""
    number: int = await database.fetchval("SELECT comments FROM photos WHERE id = $1", photo.id)
    return number


async def refused(act: Awaitable[object], what: str = "comment") -> None:
    """Expect that nothing is found."""
    with pytest.raises(NotFoundError) as caught:
        await act
    assert caught.value.what == what


async def test_a_reply_to_a_reply_goes_below_the_comment(database: Database) -> None:
    """Replies have one level, name the user they answer, and are counted on the comment and on the photo."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo, other = await ready_photo(database, ann), await ready_photo(database, ann)
    top = await write(database, photo, ben)
    first = await write(database, photo, cat, reply_to=top)
    second = await write(database, photo, ann, reply_to=first)
    assert (first.reply_to, first.answered_id, second.reply_to, second.answered_id) == (top.id, ben.id, top.id, cat.id)
    await refused(write(database, other, ann, reply_to=top))
    assert await counted(database, photo) == 3
    (shown,) = await comment_lists.page(database, photo.id, viewer_id=None, limit=9)
    assert (shown.id, shown.replies, [reply.id for reply in shown.first_replies]) == (top.id, 2, [first.id, second.id])
    third, fourth = [await write(database, photo, cat, reply_to=top) for _ in range(2)]
    (shown,) = await comment_lists.page(database, photo.id, viewer_id=None, limit=9)
    assert [reply.id for reply in shown.first_replies] == [first.id, second.id, third.id]
    rest = await comment_lists.replies(database, top.id, viewer_id=None, after=second.id, limit=9)
    assert [reply.id for reply in rest] == [third.id, fourth.id]


async def test_blocks_separate_threads(database: Database) -> None:
    """A hidden author's replies are left out, and so is a hidden author's comment with all replies."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    top = await write(database, photo, ben)
    mine, yours = await write(database, photo, ben, reply_to=top), await write(database, photo, cat, reply_to=top)
    await block(database, cat, ben)
    assert await listed(database, photo, cat) == []
    await refused(comment_lists.replies(database, top.id, viewer_id=cat.id, limit=9))
    anns = await write(database, photo, ann, reply_to=top)
    for comment in (top, mine, anns):
        await refused(write(database, photo, cat, reply_to=comment))
        await refused(like(database, comment, cat))
    await refused(write(database, photo, ben, reply_to=yours))
    (shown,) = await comment_lists.page(database, photo.id, viewer_id=ben.id, limit=9)
    assert (shown.replies, [reply.id for reply in shown.first_replies]) == (3, [mine.id, anns.id])
    replies = await comment_lists.replies(database, top.id, viewer_id=ben.id, limit=1)
    assert [reply.id for reply in replies] == [mine.id]


async def test_a_deleted_comment_takes_its_replies_with_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first replies go in the same transaction, further ones in batches; the photo counts what is there."""
    monkeypatch.setattr(comment_deletion, "REPLIES_AT_ONCE", 2)
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    kept, top = await write(database, photo, ben), await write(database, photo, ben)
    for _ in range(3):
        await write(database, photo, cat, reply_to=top)
    async with database.transaction() as tx:
        counters = await comment_deletion.delete(tx, top.id, user_id=ann.id)
    assert (counters.comments, await counted(database, photo)) == (2, 2)
    assert (await topics(database))[-4:] == [*["comment.deleted"] * 3, "replies.orphaned"]
    await refused(comment_lists.replies(database, top.id, viewer_id=ann.id, limit=9))
    await refused(write(database, photo, ben, reply_to=top))
    async with database.transaction() as tx:
        await comment_deletion.delete_orphans(tx, top.id)
    assert await counted(database, photo) == 1
    assert (await topics(database))[-1] == "comment.deleted"
    assert await listed(database, photo, ann) == [kept.id]


async def test_a_deleted_reply_is_not_counted_any_more(database: Database) -> None:
    """Its author and the photo's owner may delete it, the author of the comment above it may not."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    top = await write(database, photo, ben)
    one, two = [await write(database, photo, cat, reply_to=top) for _ in range(2)]

    async def delete(reply: Comment, user: User) -> None:
        async with database.transaction() as tx:
            await comment_deletion.delete(tx, reply.id, user_id=user.id)

    await refused(delete(one, ben))
    await delete(one, cat)
    await delete(two, ann)
    (shown,) = await comment_lists.page(database, photo.id, viewer_id=None, limit=9)
    assert (shown.replies, shown.first_replies, await counted(database, photo)) == (0, (), 1)


async def test_likes_of_comments_count_once(database: Database) -> None:
    """Liking and unliking can be repeated, a like can be taken back when the comment is hidden, and is erased."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    top, beside = await write(database, photo, ben), await write(database, photo, ben)
    await like(database, beside, ann)

    async def change(act: str, user: User) -> tuple[bool, int]:
        async with database.transaction() as tx:
            result = await getattr(comment_likes, act)(tx, comment_id=top.id, user_id=user.id)
        return result.liked, result.likes

    assert [await change("add", user) for user in (cat, cat, ann)] == [(True, 1), (True, 1), (True, 2)]
    _, seen = await comment_lists.page(database, photo.id, viewer_id=cat.id, limit=9)
    _, other = await comment_lists.page(database, photo.id, viewer_id=ben.id, limit=9)
    assert (seen.liked, seen.likes, other.liked) == (True, 2, False)
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    assert [await change("remove", cat), await change("remove", ann)] == [(False, 1), (False, 0)]
    states = [await comments.state(database, comment.id) for comment in (top, beside)]
    assert [state and (state.likes, state.version) for state in states] == [(0, 4), (1, 1)]
    await refused(change("remove", cat))
    await refused(change("add", cat))
    assert [topic for topic in await topics(database) if "liked" in topic] == [
        *["comment.liked"] * 3, *["comment.unliked"] * 2,
    ]  # fmt: skip
    await change("add", ann)
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    while await _erased(database, ann):
        pass
    assert await database.fetchval("SELECT likes FROM comments WHERE id = $1", top.id) == 0


async def _erased(database: Database, user: User) -> bool:
    async with database.transaction() as tx:
        return await erasure.erase(tx, user.id, grace_minutes=0)


async def test_orders_and_pins(database: Database) -> None:
    """Pinned comments come first in both orders, then the newest or those with the most likes; pages have no gaps."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    a, b, c, d, e = [await write(database, photo, ben, name) for name in "abcde"]
    reply = await write(database, photo, ben, reply_to=a)
    await like(database, b, ann, cat)
    await like(database, d, cat)
    top = CommentOrder.TOP
    assert await listed(database, photo, cat) == [e.id, d.id, c.id, b.id, a.id]
    assert await listed(database, photo, cat, order=top) == [b.id, d.id, e.id, c.id, a.id]

    async def pin(comment: Comment, owner: User = ann) -> None:
        async with database.transaction() as tx:
            await comment_pins.pin(tx, comment.id, owner_id=owner.id)

    for comment in (a, c, a):
        await pin(comment)
    assert await listed(database, photo, cat) == [c.id, a.id, e.id, d.id, b.id]
    assert await listed(database, photo, cat, order=top) == [c.id, a.id, b.id, d.id, e.id]
    await pin(b)
    assert await listed(database, photo, None) == [b.id, c.id, a.id, e.id, d.id]
    await refused(pin(e, ben))
    for comment, code in ((e, "too_many_pinned"), (reply, "reply_not_pinned")):
        with pytest.raises(ConflictError) as caught:
            await pin(comment)
        assert caught.value.code == code
    async with database.transaction() as tx:
        await comment_deletion.delete(tx, c.id, user_id=ann.id)
        for _ in range(2):
            await comment_pins.unpin(tx, b.id, owner_id=ann.id)
    await pin(e)
    assert await listed(database, photo, cat) == [e.id, a.id, d.id, b.id]
    assert (await topics(database)).count("comment.pinned") == 5


async def test_an_edit_is_marked_and_changes_the_mentions(database: Database) -> None:
    """Only the author edits a comment; the same text is no edit, and hidden accounts cannot be mentioned."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann)
    await block(database, cat, ben)
    top = await write(database, photo, ben, "@Ann @cat @nobody.here @ben")
    assert [mention.user_id for mention in top.mentions] == [ann.id, ben.id]
    assert [mention.offset for mention in top.mentions] == [0, len("@Ann @cat @nobody.here ")]

    async def edit(user: User, text: str) -> Comment:
        async with database.transaction() as tx:
            return await comments.edit(tx, top.id, author_id=user.id, text=text)

    await refused(edit(ann, "no"))
    assert (await edit(ben, top.text)).edited_at is None
    await like(database, top, ben)
    edited = await edit(ben, "😀 @ben")
    assert edited.edited_at is not None
    assert (edited.text, edited.liked, edited.likes) == ("😀 @ben", True, 1)
    assert [(each.offset, each.user_id) for each in edited.mentions] == [(3, ben.id)]
    assert (await comments.get(database, top.id)).version == 2  # a like and an edit
    assert (await topics(database)).count("comment.edited") == 1


async def test_captions_have_mentions_and_tags(database: Database) -> None:
    """The accounts of a caption are stored; its tags lead to the photo, and are not repeated in `tags`."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    photo = await ready_photo(database, ann, caption="#Sea with @ben", tags=("sun",))
    assert ([mention.user_id for mention in photo.mentions], photo.tags) == ([ben.id], ("sun",))

    async def tagged(tag: str) -> bool:
        found = await photo_lists.by_tag(database, tag, viewer_id=None, before=None, limit=9)
        return [each.id for each in found] == [photo.id]

    assert [await tagged(tag) for tag in ("sea", "sun", "hill")] == [True, True, False]

    async def edit(**fields: object) -> Photo:
        async with database.transaction() as tx:
            return (await photo_edits.edit(tx, photo.id, author_id=ann.id, **fields))[0]  # type: ignore[arg-type]

    edited = await edit(caption="#hill @cat")
    assert [mention.user_id for mention in edited.mentions] == [cat.id]
    assert [await tagged(tag) for tag in ("sea", "sun", "hill")] == [False, True, True]
    await edit(tags=["sea"])
    assert [await tagged(tag) for tag in ("sea", "sun", "hill")] == [True, False, True]
    rows = await database.fetch("SELECT DISTINCT ON (event_id) body FROM outbox WHERE topic = 'photo.edited'")
    edits = [events.decode("photo.edited", row["body"]) for row in rows]
    assert sorted(list(event.mentions) for event in edits if isinstance(event, events.PhotoEdited)) == [
        [],
        sorted([ben.id, cat.id]),
    ]


async def test_comments_of_an_erased_account_and_their_replies_go(database: Database) -> None:
    """Batches of an account's comments leave their replies to further batches, and keep the counters right."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    top, kept = await write(database, photo, ben), await write(database, photo, ann)
    for parent, author in ((top, ben), (top, ann), (kept, ben)):
        await write(database, photo, author, reply_to=parent)
    async with database.transaction() as tx:
        assert len(await comment_deletion.delete_some(tx, author_id=ben.id, limit=9)) == 3
    assert (await topics(database))[-1] == "replies.orphaned"
    async with database.transaction() as tx:
        await comment_deletion.delete_orphans(tx, top.id)
    assert await counted(database, photo) == 1
    (shown,) = await comment_lists.page(database, photo.id, viewer_id=None, limit=9)
    assert (shown.id, shown.replies) == (kept.id, 0)


async def test_a_stranger_to_a_private_photo_finds_no_comment(database: Database) -> None:
    """Nothing below a photo that a user may not see can be read, answered, liked or edited."""
    ann, ben = await new_user(database, "ann", private=True), await new_user(database, "ben")
    photo = await ready_photo(database, ann)
    top = await write(database, photo, ann, "@ben")

    async def pin() -> None:
        async with database.transaction() as tx:
            await comment_pins.pin(tx, top.id, owner_id=ben.id)

    await refused(comment_lists.replies(database, top.id, viewer_id=ben.id, limit=9))
    await refused(write(database, photo, ben, reply_to=top), "photo")
    await refused(like(database, top, ben))
    await refused(pin())
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    await refused(comment_lists.replies(database, top.id, viewer_id=ann.id, limit=9))
    await refused(like(database, top, ann))
