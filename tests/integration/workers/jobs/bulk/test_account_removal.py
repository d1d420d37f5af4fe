"""A deleted account is hidden at once, and what it has left is removed in batches by the queue "bulk"."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from storage import events
from storage.blobs.keys import original_key
from storage.errors import NotFoundError
from storage.ids import encode
from storage.models import Photo, User
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.comments import comment_lists, comments
from storage.stores.media import contents
from storage.stores.notifications import notifications
from storage.stores.photos import likes, photo_contents, photo_processing, photos
from storage.stores.photos.photo_items import pictures_of
from tests.support.community import follow, new_user, new_users, ready_photo
from tests.support.objects import has
from tests.support.originals import REMOVALS_AGE, post, post_several
from tests.support.stage import Stage, inbox, start_clean
from workers.jobs.bulk.account_removal import AccountRemoval
from workers.jobs.caches.purge import PurgeHandlers, Purgers
from workers.jobs.media.contents import ContentRemover

pytestmark = pytest.mark.engines

INTERACTIVE = ("media", "fanout", "notify")
LEFT = """
SELECT (SELECT count(*) FROM photos WHERE author_id = $1 AND deleted_at IS NULL) AS photos,
    (SELECT count(*) FROM comments WHERE author_id = $1 AND deleted_at IS NULL) AS comments,
    (SELECT count(*) FROM likes WHERE user_id = $1) AS likes,
    (SELECT count(*) FROM following WHERE follower_id = $1 OR followee_id = $1) AS follows,
    (SELECT count(*) FROM followers WHERE follower_id = $1 OR followee_id = $1) AS follow_sides,
    (SELECT count(*) FROM notification_actors WHERE actor_id = $1) AS activities,
    (SELECT count(*) FROM notifications WHERE user_id = $1) AS notifications"""


@pytest.fixture(autouse=True)
def small_batches(stage: Stage) -> None:
    """Batches of two rows, so that a few are many."""
    remover = ContentRemover(stage.database, stage.blobs)
    stage.bulk = {
        **stage.bulk,
        **AccountRemoval(
            stage.database, stage.fanout, stage.notify, stage.comments, remover, blobs=stage.blobs, limit=2
        ).handlers(),
    }


async def remove(stage: Stage, user: User) -> None:
    """Delete an account."""
    async with stage.database.transaction() as tx:
        await users.remove(tx, user.id)


async def comment(stage: Stage, author: User, photo: Photo) -> int:
    """Write a comment and return its id."""
    async with stage.database.transaction() as tx:
        return (await comments.add(tx, photo_id=photo.id, author_id=author.id, text="nice"))[0].id


async def waiting(database: Database) -> Counter[str]:
    """Return how many events of each queue and topic wait in the outbox."""
    rows = await database.fetch("SELECT queue || ' ' || topic AS name FROM outbox")
    return Counter(row["name"] for row in rows)


async def left(database: Database, user: User) -> dict[str, int]:
    """Return what a user has left in the database, without what is none."""
    row = await database.fetchrow(LEFT, user.id)
    assert row is not None
    return {name: number for name, number in row.items() if number}


async def originals(stage: Stage, of: list[Photo]) -> list[str]:
    """Return the originals of the photos' pictures that exist."""
    keys = [original_key(picture.sha256) for photo in of for picture in pictures_of(photo)]
    return [key for key in keys if await has(stage.blobs, key)]


async def populate(stage: Stage) -> tuple[User, User, list[Photo], Photo]:
    """Return ann with photos, followers, comments and likes; bob, who has a photo that she has commented on; these."""
    ann, bob, *fans = await new_users(stage.database, "ann", "bob", "cat", "dan", "eve")
    for follower in (bob, *fans):
        await follow(stage.database, follower, ann)
    await follow(stage.database, ann, bob)
    mine = [await post(stage.database, stage.blobs, ann, b"\xff\xd8\xff original %d" % number) for number in range(4)]
    mine.append(await post_several(stage.database, stage.blobs, ann, b"\xff\xd8\xff one", b"\xff\xd8\xff other"))
    async with stage.database.transaction() as tx:
        for photo in mine:
            assert await photo_processing.mark_ready(tx, photo.id, width=1, height=1, placeholder=None, exif=None)
    yours = await ready_photo(stage.database, bob)
    for _ in range(3):
        await comment(stage, ann, yours)
    await stage.like(ann, yours)
    await stage.like(bob, mine[0])
    assert len(await originals(stage, mine)) == 6
    await start_clean(stage, ann, bob, *fans)
    return ann, bob, mine, yours


async def test_a_deleted_account_is_hidden_before_anything_is_removed(stage: Stage) -> None:
    """From the deletion on no reader sees photos and comments; after one event of a bounded size no feed has them."""
    ann, bob, mine, yours = await populate(stage)
    entries = await notifications.inbox(stage.database, bob.id, before=None, limit=9)
    assert [entry.comment.excerpt for entry in entries if entry.comment] == ["nice"] * 3
    await remove(stage, ann)
    assert await left(stage.database, ann) != {}
    for viewer in (None, ann.id, bob.id):
        assert await comment_lists.page(stage.database, yours.id, viewer_id=viewer, limit=9) == []
        for photo in mine:
            with pytest.raises(NotFoundError):
                await photos.get(stage.database, photo.id, viewer_id=viewer)
            with pytest.raises(NotFoundError):
                await comment_lists.page(stage.database, photo.id, viewer_id=viewer, limit=9)
    entries = await notifications.inbox(stage.database, bob.id, before=None, limit=9)
    assert [entry for entry in entries if entry.comment or entry.actors] == []
    assert not await photo_contents.is_public(stage.database, mine[0].sha256)
    assert set(await stage.cards.get([photo.id for photo in mine])) != set()
    await stage.fanout.handlers()["user.changed"](events.UserChanged(user_id=ann.id, deleted=True))
    assert await stage.cards.get([photo.id for photo in mine]) == {}
    assert (await left(stage.database, ann))["photos"] == 5


async def test_a_comment_of_a_deleted_account_is_not_published(stage: Stage) -> None:
    """A comment whose event is handled after its author's deletion is neither published nor a notification."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, bob)
    await start_clean(stage, ann, bob)
    written = await comment(stage, ann, photo)
    await remove(stage, ann)
    added = events.CommentAdded(comment_id=written, photo_id=photo.id, owner_id=bob.id, user_id=ann.id)
    await stage.comments.added(added)
    assert await stage.deliveries(bob) == []
    assert await stage.topic_publications() == []


async def test_an_account_is_removed_in_batches_with_one_event_at_a_time(stage: Stage) -> None:
    """However much an account has, it has one event of each kind, and none in the queues that others wait for."""
    ann, bob, _, yours = await populate(stage)
    await remove(stage, ann)
    steps = 0
    while rows := await stage.database.fetch("SELECT id, queue, topic, body FROM outbox ORDER BY id LIMIT 1"):
        (row,) = rows
        assert max((await waiting(stage.database)).values()) == 1, await waiting(stage.database)
        handlers = {
            "fanout": stage.fanout.handlers(),
            "notify": stage.notify.handlers(),
            "bulk": stage.bulk,
            "purge": PurgeHandlers(stage.database, Purgers(caches=[])).handlers(),
        }
        if row["topic"] != "session.ended":
            await handlers[row["queue"]][row["topic"]](events.decode(row["topic"], row["body"]))
        await stage.database.fetch("DELETE FROM outbox WHERE id = $1", row["id"])
        others = [name for name in await waiting(stage.database) if name.startswith(INTERACTIVE)]
        assert others in ([], ["fanout user.changed"])
        steps += 1
    # Three batches of photos, each for two chunks of followers, and two of comments.
    assert steps >= 8
    assert set(await left(stage.database, ann)) == {"likes", "follows", "follow_sides", "notifications"}
    assert (await photos.get(stage.database, yours.id, viewer_id=bob.id)).comments == 0


async def test_what_followers_and_owners_see(stage: Stage) -> None:
    """Each photo leaves each follower's feed and is published as removed once; the comments are, too."""
    ann, bob, mine, yours = await populate(stage)
    await remove(stage, ann)
    await stage.pump()
    deliveries = [message for message in await stage.deliveries() if "data" in message.body]
    removed = Counter(
        message.document["photo_id"] for message in deliveries if message.document["type"] == "photo.removed"
    )
    assert removed == {encode(photo.id): 4 for photo in mine}
    assert await stage.feed(bob) == [yours.id]
    published = await stage.topic_publications()
    on_photo = [document for topic, document in published if topic == f"photo:{encode(yours.id)}"]
    assert [document["type"] for document in on_photo] == ["photo.comment_deleted"] * 3
    assert on_photo[-1]["comments"] == 0
    closed = {topic for topic, document in published if document is None}
    assert closed == {f"photo:{encode(photo.id)}" for photo in mine}
    assert await inbox(stage, bob) == []
    assert not await originals(stage, mine)


async def test_likes_and_follows_are_removed_after_the_grace_period(stage: Stage) -> None:
    """The likes are published as removed, with the counters, and nothing of the account is left."""
    ann, bob, _, _ = await populate(stage)
    await remove(stage, ann)
    await stage.pump()
    await stage.topic_publications()
    await stage.database.fetch("UPDATE users SET deleted_at = now() - interval '1 hour' WHERE id = $1", ann.id)
    async with stage.database.transaction() as tx:
        tx.emit(events.AccountDeleted(user_id=ann.id))
    await stage.pump()
    ((_, document),) = await stage.topic_publications()
    assert (document["type"], document["likes"]) == ("photo.unliked", 0)
    assert await left(stage.database, ann) == {}
    assert (await users.get(stage.database, bob.id)).followers == 0
    assert await stage.database.fetchval("SELECT erased_at IS NOT NULL FROM users WHERE id = $1", ann.id)


@pytest.mark.parametrize("seed", range(4))
async def test_a_killed_worker_is_continued_anywhere(stage: Stage, seed: int) -> None:
    """If each job ends at a random moment and is repeated, nothing is left over and no follower misses a removal."""
    ann, bob, mine, yours = await populate(stage)
    draw = random.Random(seed)
    await remove(stage, ann)
    await stage.database.fetch("UPDATE users SET deleted_at = now() - interval '1 hour' WHERE id = $1", ann.id)
    next_event = "SELECT id, topic, body FROM outbox WHERE queue = 'bulk' ORDER BY id LIMIT 1"
    while (row := await stage.database.fetchrow(next_event)) is not None:
        handle, event = stage.bulk[row["topic"]], events.decode(row["topic"], row["body"])
        job = asyncio.ensure_future(handle(event))
        for _ in range(draw.randrange(40)):
            await asyncio.sleep(0)
        job.cancel()
        await asyncio.wait([job])
        await handle(event)
        await stage.database.fetch("DELETE FROM outbox WHERE id = $1", row["id"])
    assert await left(stage.database, ann) == {}
    assert await stage.feed(bob) == [yours.id]
    counters = await likes.state(stage.database, photo_id=yours.id, user_id=bob.id)
    assert (counters.likes, counters.comments) == (0, 0)
    assert (await stage.counter_cache.counts(yours.id)) == (0, 0)
    removed = {
        message.document["photo_id"]
        for message in await stage.deliveries(bob)
        if "data" in message.body and message.document["type"] == "photo.removed"
    }
    assert removed == {encode(photo.id) for photo in mine}
    # A removal of blobs that was interrupted is continued by the janitor, once it is stale.
    await stage.database.fetch(REMOVALS_AGE, contents.REMOVAL_STALE)
    await ContentRemover(stage.database, stage.blobs).sweep()
    assert not await originals(stage, mine)


async def test_a_deleted_account_without_anything(stage: Stage) -> None:
    """An account without photos and comments needs one event."""
    ann = await new_user(stage.database, "ann")
    await stage.pump()
    await remove(stage, ann)
    assert (await stage.pump()).count("bulk account.deleted") == 1
