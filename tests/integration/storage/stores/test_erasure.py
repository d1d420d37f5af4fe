"""The erasure of deleted accounts in a real database."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from storage.abuse import AbuseAction, Finding, FindingKind
from storage.events import AccountDeleted, decode
from storage.models import User
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.reports import Category, SubjectKind
from storage.stores.accounts import account_fields, erasure, users
from storage.stores.comments import comment_lists, comments
from storage.stores.credentials import sessions
from storage.stores.discovery import account_suggestions, photo_trends
from storage.stores.moderation import findings
from storage.stores.notifications import push_subscriptions, waiting_activities
from storage.stores.photos import likes, photo_edits
from storage.stores.saved import collection_items, photo_collections
from storage.stores.social import blocks, close_friends, follows, list_members, lists, tag_follows
from tests.support.community import follow, new_user, new_users, old_users, ready_photo, topics
from tests.support.locks import wait_for_blocked_transaction
from tests.support.push import Browser
from tests.support.stored_words import tables_with

pytestmark = pytest.mark.engines


async def _erase(database: Database, user: User, *, grace_minutes: int = 0, limit: int = 20) -> bool:
    async with database.transaction() as tx:
        return await erasure.erase(tx, user.id, grace_minutes=grace_minutes, limit=limit)


async def _erase_all(database: Database, user: User, *, limit: int = 20) -> int:
    """Erase an account and return the number of batches, which a repeated batch would make infinite."""
    for batches in range(60):
        if not await _erase(database, user, limit=limit):
            return batches
    pytest.fail("the erasure does not end")


async def _queue_due(database: Database) -> int:
    async with database.transaction() as tx:
        return await erasure.queue_due(tx)


async def _batches(database: Database) -> list[AccountDeleted]:
    rows = await database.fetch("SELECT topic, body FROM outbox WHERE topic = 'account.deleted' ORDER BY id")
    return [cast(AccountDeleted, decode(row["topic"], row["body"])) for row in rows]


async def test_erase(database: Database) -> None:
    """Likes and follows of a deleted account are erased in batches, with counters and events, until none is left."""
    ann, ben, cat = await old_users(database, "ann", "ben", "cat")
    made = [await ready_photo(database, ann) for _ in range(3)]
    for follower, followee in ((ben, ann), (ann, ben), (ben, cat)):
        await follow(database, follower, followee)
    async with database.transaction() as tx:
        for photo in made:
            await likes.add(tx, photo_id=photo.id, user_id=ben.id)
        await blocks.mute(tx, cat.id, ben.id)
        await account_suggestions.want(tx, ben.id)
        await account_suggestions.dismiss(tx, ben.id, cat.id)
        await tag_follows.follow(tx, ben.id, "sea")
        for collection_id in (
            await photo_collections.saved_id(tx, ben.id),
            (await photo_collections.create(tx, owner_id=ben.id, title="Sea", public=True)).id,
        ):
            for photo in made:
                await collection_items.add(tx, collection_id, photo.id, owner_id=ben.id)
        for owner, members in ((ben, (ann, cat)), (ben, (ann,)), (ann, (ben, cat)), (cat, (ben,)), (cat, (ben,))):
            created = await lists.create(tx, owner_id=owner.id, title="Friends")
            for member in members:
                await list_members.add(tx, created.id, member.id, owner_id=owner.id)
        await waiting_activities.add(
            tx,
            operation="record",
            activity=Activity(recipient_id=ben.id, kind=NotificationKind.FOLLOW, actor_id=ann.id, source_id=ann.id),
        )
        await findings.record(
            tx,
            Finding(
                kind=FindingKind.LINK_SPAM,
                account_id=ben.id,
                subject=SubjectKind.USER,
                subject_id=ben.id,
                action=AbuseAction.CASE,
                category=Category.SPAM,
                rule="links",
                key="links",
            ),
        )
        browser = Browser("https://push.example.com/1")
        await push_subscriptions.subscribe(
            tx,
            user_id=ben.id,
            session_id=await sessions.open(tx, ben.id, token_sha256=bytes(32), expires_at=datetime.now(UTC)),
            endpoint=browser.endpoint,
            p256dh=browser.p256dh,
            auth=browser.auth,
            hide_content=False,
        )
        await users.remove(tx, ben.id)
    assert not await _erase(database, ben, grace_minutes=1)
    assert await _erase_all(database, ben, limit=2) > 2
    fresh = await users.get(database, ann.id)
    assert (fresh.followers, fresh.following) == (0, 0)
    assert (await users.get(database, cat.id)).followers == 0
    assert [(await likes.state(database, photo_id=photo.id, user_id=ann.id)).likes for photo in made] == [0, 0, 0]
    assert {trend.likes for trend in await photo_trends.load(database, [photo.id for photo in made])} == {0}
    unliked = [tuple(like) for batch in await _batches(database) for like in batch.likes]
    assert sorted(unliked) == [(photo.id, ann.id) for photo in made]
    assert (await topics(database))[-1] == "actor.removed"
    for table in (
        *("following", "followers", "mutes", "collections", "collection_items"),
        *("account_suggestions", "dismissed_suggestions", "tag_follows", "lists", "list_members", "findings"),
        "push_subscriptions",
    ):
        rows = await database.fetch(f"SELECT * FROM {table}")  # noqa: S608
        assert not any(ben.id in tuple(row) for row in rows), table
    left = [(each.title, each.accounts) for each in await lists.page(database, ann.id, before=None, limit=9)]
    assert (left, len(await lists.page(database, cat.id, before=None, limit=9))) == ([("Friends", 1)], 2)
    assert not await waiting_activities.waiting(database, ben.id)


async def test_what_an_erased_account_has_said_is_in_no_table(database: Database) -> None:
    """Its names, and the texts of its photos and comments, are erased, also from the rows that stay for their ids."""
    word = "petrichor"
    ann, ben = await old_users(database, "ann", word)
    below, own = await ready_photo(database, ann), await ready_photo(database, ben)
    async with database.transaction() as tx:
        await account_fields.update(tx, ben.id, display_name=word, bio=word)
        await photo_edits.edit(tx, own.id, author_id=ben.id, caption=word, alt_text=word, location=word)
        await comments.add(tx, photo_id=below.id, author_id=ben.id, text=word)
        await users.remove(tx, ben.id)
    await _erase_all(database, ben)
    assert await tables_with(database, word) == []


async def test_both_sides_of_every_edge_are_erased(database: Database) -> None:
    """Follows, requests, blocks, mutes and friends in both directions leave the shards of both users, in batches."""
    gone, *others = await new_users(database, "gone", "ann", "ben", "cat")
    kept = await new_user(database, "kept", private=True)
    others.append(kept)
    async with database.transaction() as tx:
        for user in others:
            await blocks.mute(tx, gone.id, user.id)
            await blocks.mute(tx, user.id, gone.id)
            await close_friends.add(tx, gone.id, user.id)
            await close_friends.add(tx, user.id, gone.id)
            await follows.follow(tx, gone.id, user.id)
            await follows.follow(tx, user.id, gone.id)
        await follows.follow(tx, others[0].id, others[1].id)
        await blocks.block(tx, gone.id, others[2].id)
        await blocks.block(tx, others[2].id, gone.id)
        await account_fields.update(tx, gone.id, private=True)
    late = await new_user(database, "late")
    await follow(database, late, gone)
    async with database.transaction() as tx:
        await users.remove(tx, gone.id)
    assert await _erase_all(database, gone, limit=2) > 6
    for table in ("following", "followers", "follow_requests", "blocks", "mutes", "close_friends"):
        rows = await database.fetch(f"SELECT * FROM {table}")  # noqa: S608
        assert not any(gone.id in tuple(row) for row in rows), table
    counters = [(user.followers, user.following) for user in [await users.get(database, user.id) for user in others]]
    assert counters == [(0, 1), (1, 0), (0, 0), (0, 0)]
    left = await database.fetchrow("SELECT followers, following, erased_at FROM users WHERE id = $1", gone.id)
    assert left is not None
    assert (left["followers"], left["following"], left["erased_at"] is None) == (0, 0, False)


async def test_accounts_that_follow_each_other_are_erased_at_once(database: Database) -> None:
    """Deleted accounts that follow and mute each other are erased at the same moment without a deadlock."""
    accounts = await new_users(database, *"abcdef")
    async with database.transaction() as tx:
        for one, other in itertools.permutations(accounts, 2):
            await follows.follow(tx, one.id, other.id)
            await blocks.mute(tx, one.id, other.id)
    for user in accounts:
        async with database.transaction() as tx:
            await users.remove(tx, user.id)
    await database.fetch("UPDATE users SET deleted_at = now() - interval '1 day', erasure_queued_at = NULL")
    await asyncio.gather(
        *(_erase_all(database, user, limit=3) for user in accounts), *(_queue_due(database) for _ in range(3))
    )
    for table in ("following", "followers", "mutes"):
        assert await database.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
    wrong = "SELECT count(*) FROM users WHERE erased_at IS NULL OR (followers, following) <> (0, 0)"
    assert await database.fetchval(wrong) == 0


async def test_followers_are_left_until_no_photo_is(database: Database) -> None:
    """The removal of a photo from the followers' feeds needs the follows, so these are erased after all photos."""
    ann, ben = await new_users(database, "ann", "ben")
    await ready_photo(database, ann)
    await follow(database, ben, ann)
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert await _erase(database, ann)
    assert await follows.follower_ids(database, ann.id, after=None, until=None, limit=9) == [ben.id]
    assert await _erase(database, ann)
    assert await follows.follower_ids(database, ann.id, after=None, until=None, limit=9) == []


async def test_what_a_deletion_has_missed_is_swept(database: Database) -> None:
    """Photos, comments and sessions that are left of a deleted account are deleted with its erasure."""
    ann, ben = await new_users(database, "ann", "ben")
    photo, own = await ready_photo(database, ann), await ready_photo(database, ben)
    async with database.transaction() as tx:
        await comments.add(tx, photo_id=photo.id, author_id=ben.id, text="nice")
        await sessions.open(tx, ben.id, token_sha256=b"1", expires_at=datetime.now(UTC) + timedelta(days=1))
        # As if all of this had been committed after the deletion, by a version that does not lock accounts.
        await tx.execute("UPDATE users SET deleted_at = now() WHERE id = $1", ben.id)
    while await _erase(database, ben):
        pass
    assert await database.fetchval("SELECT deleted_at FROM photos WHERE id = $1", own.id) is not None
    assert await comment_lists.page(database, photo.id, viewer_id=ann.id, limit=9) == []
    assert (await likes.state(database, photo_id=photo.id, user_id=ann.id)).comments == 0
    async with database.transaction() as tx:
        assert await sessions.revoke_all(tx, ben.id) == []
    photo_batch, comment_batch = (await _batches(database))[-2:]
    assert [photo_id for photo_id, _ in photo_batch.photos] == [own.id]
    assert [(photo_id, owner_id) for _, photo_id, owner_id in comment_batch.comments] == [(photo.id, ann.id)]
    assert (await topics(database))[-2:] == ["session.ended", "actor.removed"]


async def test_living_accounts_are_left_alone(database: Database) -> None:
    """An account that is not deleted is not erased."""
    (ann,) = await new_users(database, "ann")
    await ready_photo(database, ann)
    assert not await _erase(database, ann)
    assert await _queue_due(database) == 0
    assert (await users.get(database, ann.id)).photos == 1


async def test_photos_and_comments_go_first_and_in_batches(database: Database) -> None:
    """Photos and comments are deleted before the end of the grace period; each event names the batch it is about."""
    ann, ben = await new_users(database, "ann", "ben")
    mine = [await ready_photo(database, ben) for _ in range(3)]
    other = await ready_photo(database, ann)
    written = []
    async with database.transaction() as tx:
        for _ in range(3):
            comment, _ = await comments.add(tx, photo_id=other.id, author_id=ben.id, text="nice")
            written.append(comment.id)
        await likes.add(tx, photo_id=other.id, user_id=ben.id)
        await users.remove(tx, ben.id)
    while await _erase(database, ben, limit=2, grace_minutes=1):
        pass
    batches = await _batches(database)
    one, two, three = [photo.id for photo in mine]
    assert [sorted(photo_id for photo_id, _ in batch.photos) for batch in batches] == [[], [two, three], [one], [], []]
    removed = [sorted(tuple(comment) for comment in batch.comments) for batch in batches]
    assert removed[3:] == [[(id_, other.id, ann.id) for id_ in ids] for ids in (written[:2], written[2:])]
    counters = await likes.state(database, photo_id=other.id, user_id=ann.id)
    assert (counters.likes, counters.comments) == (1, 0)
    assert not await database.fetchval("SELECT erased_at IS NOT NULL FROM users WHERE id = $1", ben.id)


async def test_an_account_has_one_event_at_a_time(database: Database) -> None:
    """The janitor's event for an account is emitted once when its grace period is over, and again if it was lost."""
    ann, ben = await new_users(database, "ann", "ben")
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert await _queue_due(database) == 0
    # The event of the deletion was handled: nothing is left but what waits for the end of the grace period.
    assert not await _erase(database, ann, grace_minutes=1)
    assert await _queue_due(database) == 0
    await database.fetch("UPDATE users SET deleted_at = now() - interval '21 minutes' WHERE id = $1", ann.id)
    assert await _queue_due(database) == 1
    assert await _queue_due(database) == 0
    await database.fetch("UPDATE users SET erasure_queued_at = now() - interval '61 minutes' WHERE id = $1", ann.id)
    assert await _queue_due(database) == 1
    assert await _queue_due(database) == 0
    # A batch shows that the event is not lost, however long all batches take.
    await database.fetch("UPDATE users SET erasure_queued_at = now() - interval '61 minutes' WHERE id = $1", ann.id)
    await database.fetch(
        "INSERT INTO blocks (shard, owner_id, other_id, outgoing) VALUES ($1::bigint & 1023, $1, $2, true)",
        ann.id,
        ben.id,
    )
    assert await _erase(database, ann)
    assert await _queue_due(database) == 0
    assert not await _erase(database, ann)
    await database.fetch("UPDATE users SET deleted_at = now() - interval '1 day' WHERE id = $1", ann.id)
    assert await _queue_due(database) == 0


async def test_of_two_janitors_one_emits_the_event(database: Database) -> None:
    """A janitor that finds an account that another one is queueing waits, and emits no second event."""
    (ann,) = await new_users(database, "ann")
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    await database.fetch("UPDATE users SET erasure_queued_at = NULL, deleted_at = now() - interval '1 day'")
    async with database.transaction() as tx:
        assert await erasure.queue_due(tx) == 1
        waiting = asyncio.create_task(_queue_due(database))
        await wait_for_blocked_transaction(database)
    assert await waiting == 0


async def test_a_repeated_event_starts_no_second_series(database: Database) -> None:
    """An event whose successor was emitted does nothing when it is handled again; the successor continues."""
    ann = await new_user(database, "ann")
    for _ in range(3):
        await ready_photo(database, ann)
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    (first,) = await _batches(database)
    more = []
    for event in (first, first):
        async with database.transaction() as tx:
            more.append(await erasure.erase(tx, ann.id, queued_at=event.queued_at, limit=1))
    assert more == [True, False]
    *_, second = await _batches(database)
    assert len(second.photos) == 1
    async with database.transaction() as tx:
        assert await erasure.erase(tx, ann.id, queued_at=second.queued_at, limit=1)
    assert len(await _batches(database)) == 3
