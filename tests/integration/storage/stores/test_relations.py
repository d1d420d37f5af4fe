"""Follows, requests, blocks and mutes in a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.models import PresenceAudience, Relation, User
from storage.postgres.database import Database, Transaction
from storage.stores.accounts import account_fields, users
from storage.stores.social import blocks, follows, relations
from tests.support.community import block, follow, new_user, new_users, one_sided_edges, topics
from tests.support.locks import wait_for_blocked_transaction
from workers.jobs.feeds.photo_feeds import lanes

pytestmark = pytest.mark.engines

End = Callable[[Transaction, int, int], Awaitable[bool]]


async def _counters(database: Database, user: User) -> tuple[int, int]:
    fresh = await users.get(database, user.id)
    return fresh.followers, fresh.following


async def test_follow_and_unfollow(database: Database) -> None:
    """A follow changes both counters and emits one event; an unfollow reverts it, once."""
    ann, ben = await new_users(database, "ann", "ben")
    assert await follow(database, ann, ben)
    assert await follow(database, ann, ben)
    assert await _counters(database, ann) == (0, 1)
    assert await _counters(database, ben) == (1, 0)
    async with database.transaction() as tx:
        assert await follows.unfollow(tx, ann.id, ben.id)
        assert not await follows.unfollow(tx, ann.id, ben.id)
    assert await _counters(database, ben) == (0, 0)
    assert await topics(database) == ["user.followed", "user.unfollowed"]


async def test_following_oneself_or_an_unknown_user(database: Database) -> None:
    """Following oneself is a conflict, and an unknown user is not found."""
    ann, ben = await new_users(database, "ann", "ben")
    with pytest.raises(ConflictError) as caught:
        await follow(database, ann, ann)
    assert caught.value.code == "cannot_follow_yourself"
    async with database.transaction() as tx:
        await users.remove(tx, ben.id)
    with pytest.raises(NotFoundError):
        await follow(database, ann, ben)


@pytest.mark.parametrize("turned", [False, True])
async def test_blocked_users_cannot_follow(database: Database, turned: bool) -> None:
    """With a block in either direction neither user can follow the other, and the error does not reveal it."""
    ann, ben = await new_users(database, "ann", "ben")
    await block(database, *((ben, ann) if turned else (ann, ben)))
    with pytest.raises(NotFoundError):
        await follow(database, ann, ben)


async def test_a_follow_of_an_account_that_became_public_ends_the_request(database: Database) -> None:
    """A user who has asked to follow a private account, and follows it once it is public, has no request any more."""
    ann = await new_user(database, "ann", private=True)
    ben = await new_user(database, "ben")
    assert not await follow(database, ben, ann)
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=False)
    assert await follow(database, ben, ann)
    assert await relations.relation(database, ben.id, ann.id) == Relation(following=True)
    assert await _counters(database, ann) == (1, 0)


async def test_private_accounts_get_requests(database: Database) -> None:
    """A private account gets a request, and only its acceptance creates a follower."""
    ann = await new_user(database, "ann", private=True)
    ben, cat = await new_users(database, "ben", "cat")
    assert not await follow(database, ben, ann)
    assert not await follow(database, ben, ann)
    assert not await follow(database, cat, ann)
    assert await _counters(database, ann) == (0, 0)
    asking = await relations.requests(database, ann.id, before=None, limit=9)
    assert [user.id for user in asking] == [cat.id, ben.id]
    assert [user.id for user in await relations.requests(database, ann.id, before=cat.id, limit=9)] == [ben.id]
    assert (await relations.relation(database, ben.id, ann.id)).requested
    async with database.transaction() as tx:
        await follows.accept(tx, ann.id, ben.id)
        await follows.decline(tx, ann.id, cat.id)
    for late in (follows.accept, follows.decline):
        with pytest.raises(NotFoundError):
            async with database.transaction() as tx:
                await late(tx, ann.id, cat.id)
    assert await _counters(database, ann) == (1, 0)
    assert await relations.requests(database, ann.id, before=None, limit=9) == []
    # A request of a user who follows already is removed, and nothing is news.
    await database.fetch(
        "INSERT INTO follow_requests (shard, followee_id, follower_id) VALUES ($1::bigint & 1023, $1, $2)",
        ann.id,
        ben.id,
    )
    async with database.transaction() as tx:
        await follows.accept(tx, ann.id, ben.id)
    assert await _counters(database, ann) == (1, 0)
    emitted = await topics(database)
    assert emitted == ["user.changed", "media.purge", *["user.followed"] * 3, "user.unfollowed"]


async def test_a_follower_of_an_account_that_became_private_stays_one(database: Database) -> None:
    """Following it again returns that it is followed, and requests nothing."""
    ann, ben = await new_users(database, "ann", "ben")
    await follow(database, ben, ann)
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    assert await follow(database, ben, ann)
    assert await relations.requests(database, ann.id, before=None, limit=9) == []


async def test_unfollowing_cancels_a_request(database: Database) -> None:
    """An unfollow before the acceptance deletes the request."""
    ann, ben = await new_user(database, "ann", private=True), await new_user(database, "ben")
    await follow(database, ben, ann)
    async with database.transaction() as tx:
        assert await follows.unfollow(tx, ben.id, ann.id)
    assert await relations.requests(database, ann.id, before=None, limit=9) == []


async def test_relation(database: Database) -> None:
    """A relation distinguishes both directions."""
    ann, ben = await new_users(database, "ann", "ben")
    await follow(database, ann, ben)
    async with database.transaction() as tx:
        await blocks.mute(tx, ann.id, ben.id)
    assert await relations.relation(database, ann.id, ben.id) == Relation(following=True, muting=True)
    assert await relations.relation(database, ben.id, ann.id) == Relation(followed_by=True)
    await block(database, ben, ann)
    assert await relations.relation(database, ben.id, ann.id) == Relation(blocking=True)
    assert await relations.relation(database, ann.id, ben.id) == Relation(muting=True)


async def test_relations_of_others_are_not_those_of_a_pair(database: Database) -> None:
    """Two users of one shard have no relation, whatever each of them has with others."""
    ann, ben, cat, dan, eve, _, gus = await new_users(database, "ann", "ben", "cat", "dan", "eve", "fay", "gus")
    async with database.transaction() as tx:
        await account_fields.update(tx, dan.id, private=True)
    for one in (ann, ben):
        await follow(database, one, dan)
        await block(database, one, eve)
        for other in (cat, gus):
            await follow(database, one, other)
            await follow(database, other, one)
            async with database.transaction() as tx:
                await blocks.mute(tx, one.id, other.id)
                await blocks.mute(tx, other.id, one.id)
        async with database.transaction() as tx:
            await account_fields.update(tx, one.id, private=True)
        await follow(database, dan, one)
    none = Relation()
    assert [await relations.relation(database, *pair) for pair in ((ann.id, ben.id), (ben.id, ann.id))] == [none] * 2
    assert not await blocks.blocked(database, ann.id, ben.id)
    assert await blocks.separated_ids(database, ann.id) == [eve.id]
    assert await follows.readers(database, cat.id, [ann.id, ben.id]) == []
    async with database.transaction() as tx:
        assert await blocks.unmute(tx, ann.id, cat.id)
        assert await blocks.unblock(tx, ben.id, eve.id)
    assert await follows.readers(database, cat.id, [ann.id, ben.id]) == [ann.id]
    assert await follows.readers(database, cat.id, [ben.id, dan.id]) == []
    assert await follows.readers(database, dan.id, [gus.id]) == []
    assert [await blocks.blocked(database, one.id, eve.id) for one in (ann, ben)] == [True, False]
    async with database.transaction() as tx:
        await follows.decline(tx, ann.id, dan.id)
        assert await follows.unfollow(tx, ben.id, cat.id)
    found = [await relations.relation(database, *pair) for pair in ((dan.id, ben.id), (ann.id, cat.id))]
    assert found == [Relation(requested=True), Relation(following=True, followed_by=True)]


async def test_block_ends_follows_and_requests(database: Database) -> None:
    """A block removes follows and requests in both directions with their counts, and emits one event for each."""
    ann, ben = await new_users(database, "ann", "ben")
    await follow(database, ann, ben)
    await follow(database, ben, ann)
    await block(database, ann, ben)
    await block(database, ann, ben)
    assert await _counters(database, ann) == await _counters(database, ben) == (0, 0)
    assert (await topics(database))[2:] == ["user.unfollowed", "user.unfollowed", "user.blocked"]
    async with database.transaction() as tx:
        assert await blocks.unblock(tx, ann.id, ben.id)
        assert not await blocks.unblock(tx, ann.id, ben.id)
        await account_fields.update(tx, ann.id, private=True)
    await follow(database, ben, ann)
    await block(database, ann, ben)
    assert await relations.requests(database, ann.id, before=None, limit=9) == []
    assert (await topics(database))[-3:] == ["user.followed", "user.unfollowed", "user.blocked"]


async def test_the_end_of_a_request_emits_an_event(database: Database) -> None:
    """The cancellation or refusal of a request emits one event, like the end of a follow."""
    ann, ben = await new_user(database, "ann", private=True), await new_user(database, "ben")
    async with database.transaction() as tx:
        for _ in range(2):
            await follows.follow(tx, ben.id, ann.id)
        assert [await follows.unfollow(tx, ben.id, ann.id) for _ in range(2)] == [True, False]
        await follows.follow(tx, ben.id, ann.id)
        await follows.decline(tx, ann.id, ben.id)
    assert (await topics(database))[-4:] == ["user.followed", "user.unfollowed"] * 2


async def test_mute_and_unmute(database: Database) -> None:
    """A mute and its end emit one event each; users cannot mute or block themselves."""
    ann, ben = await new_users(database, "ann", "ben")
    async with database.transaction() as tx:
        assert [await blocks.mute(tx, ann.id, ben.id) for _ in range(2)] == [True, False]
        assert [await blocks.unmute(tx, ann.id, ben.id) for _ in range(2)] == [True, False]
        for act in (blocks.mute, blocks.block):
            with pytest.raises(ConflictError):
                await act(tx, ann.id, ann.id)
    assert await topics(database) == ["user.muted", "user.muted"]


@pytest.mark.parametrize("end", [blocks.unblock, blocks.unmute])
async def test_the_end_of_a_block_waits_for_changes_of_its_user(database: Database, end: End) -> None:
    """Both rows of a block or mute are removed under the lock of the user who made it; a deleted user removes none."""
    ann, ben = await new_users(database, "ann", "ben")
    async with database.transaction() as tx:
        await blocks.block(tx, ann.id, ben.id)
        await blocks.mute(tx, ann.id, ben.id)

    async def run() -> bool:
        async with database.transaction() as tx:
            return await end(tx, ann.id, ben.id)

    async with database.transaction() as leaving:
        await users.remove(leaving, ann.id)
        ending = asyncio.create_task(run())
        await wait_for_blocked_transaction(database)
    assert not await ending
    assert await one_sided_edges(database) == []


async def test_lists_of_users(database: Database) -> None:
    """Followers and followed users are listed newest first, page by page, without those hidden from the viewer."""
    ann, *others = await new_users(database, "ann", "ben", "cat", "dan")
    for other in others:
        await follow(database, other, ann)
        await follow(database, ann, other)
    ben, cat, dan = others
    for read in (relations.followers, relations.following):
        assert [u.id for u in await read(database, ann.id, before=None, limit=2)] == [dan.id, cat.id]
        assert [u.id for u in await read(database, ann.id, before=cat.id, limit=2)] == [ben.id]
    await block(database, ben, cat)
    seen = await relations.followers(database, ann.id, before=None, limit=9, viewer_id=cat.id)
    assert [user.id for user in seen] == [dan.id, cat.id]


async def test_may_see(database: Database) -> None:
    """A public account is visible to all but blocked users, a private one to its owner and followers."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    assert await relations.may_see(database, None, ann.id)
    await follow(database, ben, ann)
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    seen = {viewer: await relations.may_see(database, viewer, ann.id) for viewer in (None, ann.id, ben.id, cat.id)}
    assert seen == {None: False, ann.id: True, ben.id: True, cat.id: False}
    await block(database, ann, ben)
    assert not await relations.may_see(database, ben.id, ann.id)
    assert not await relations.may_see(database, ann.id, ben.id)
    assert not await relations.may_see(database, ann.id, 5)
    assert await relations.may_see_photos_and_presence(database, ann.id, 5) == (False, False)


async def test_may_see_presence(database: Database) -> None:
    """Presence is visible to its owner and, unless it is hidden, to followers without a block in either direction."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    await follow(database, ben, ann)

    async def seen() -> dict[int | None, bool]:
        viewers = (None, ann.id, ben.id, cat.id)
        return {viewer: await relations.may_see_presence(database, viewer, ann.id) for viewer in viewers}

    assert await seen() == {None: False, ann.id: True, ben.id: True, cat.id: False}
    both = relations.may_see_photos_and_presence
    assert [await both(database, user.id, ann.id) for user in (ben, cat)] == [(True, True), (True, False)]
    assert await both(database, ann.id, ben.id) == (True, False)
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, presence=PresenceAudience.NOBODY)
    assert await seen() == {None: False, ann.id: True, ben.id: False, cat.id: False}
    assert await both(database, ben.id, ann.id) == (True, False)
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, presence=PresenceAudience.FOLLOWERS)
    await block(database, ben, ann)
    assert await seen() == {None: False, ann.id: True, ben.id: False, cat.id: False}
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert not any((await seen()).values())


async def test_fanout_order_and_chunks(database: Database) -> None:
    """Chunks divide the followers by shard and id into runs that together contain all of them except muters."""
    author = await new_user(database, "author")
    rows = [((index << 22) | ((index * 37) % 1024), f"u{index}") for index in range(1, 26)]
    for user_id, name in rows:
        await database.fetchval(
            "INSERT INTO users (shard, id, username, email, password_hash, display_name) "
            "VALUES ($1::bigint & 1023, $1, $2::text, $2::text, '', '')",
            user_id,
            name,
        )
        async with database.transaction() as tx:
            await follows.follow(tx, user_id, author.id)
    muter = rows[3][0]
    async with database.transaction() as tx:
        await blocks.mute(tx, muter, author.id)
    read: list[int] = []
    for after, until in lanes((-1, -1)):
        read += await follows.follower_ids(database, author.id, after=after, until=until, limit=99)
    expected = sorted((user_id for user_id, _ in rows if user_id != muter), key=lambda one: (ids.shard_of(one), one))
    assert read == expected
    first = await follows.follower_ids(database, author.id, after=(-1, -1), until=None, limit=7)
    assert first == expected[:7]
    one, two = ((ids.shard_of(expected[place]), expected[place]) for place in (1, 4))
    assert await follows.follower_ids(database, author.id, after=one, until=two, limit=99) == expected[2:5]


async def test_crossing_follows_and_blocks(database: Database) -> None:
    """After concurrent follows and blocks no user follows another one with a block between them."""
    accounts = await new_users(database, *"abcdef")
    pairs = [(one, other) for one in accounts for other in accounts if one is not other]

    async def try_follow(one: User, other: User) -> None:
        try:
            await follow(database, one, other)
        except NotFoundError:
            return

    blocking = [block(database, one, other) for one, other in pairs[::7]]
    await asyncio.gather(*(try_follow(one, other) for one, other in pairs), *blocking)
    wrong = await database.fetchval(
        "SELECT count(*) FROM following f JOIN blocks b ON (b.owner_id, b.other_id) = (f.follower_id, f.followee_id)"
    )
    assert wrong == 0
    drift = await database.fetchval(
        "SELECT count(*) FROM users u WHERE followers <> (SELECT count(*) FROM followers WHERE followee_id = u.id) "
        "OR following <> (SELECT count(*) FROM following WHERE follower_id = u.id)"
    )
    assert drift == 0
    assert await one_sided_edges(database) == []


async def test_relations_to_many_are_those_to_each(database: Database) -> None:
    """Also to accounts that do not exist; those that ask to follow the viewer are known."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    eve = await new_user(database, "eve", private=True)
    await follow(database, eve, ben)
    await follow(database, cat, eve)
    await follow(database, dan, ann)
    await block(database, eve, dan)
    others = [ann.id, ben.id, cat.id, dan.id, eve.id, ids.IdGenerator().new(3)]
    for viewer in (eve, ann, cat):
        expected = {other: await relations.relation(database, viewer.id, other) for other in others}
        assert await relations.to_others(database, viewer.id, others) == expected
    assert (await relations.to_others(database, eve.id, others))[ben.id].following
    assert await relations.requesters(database, eve.id, others) == {cat.id}
    assert await relations.requesters(database, cat.id, others) == set()
    assert await relations.to_others(database, eve.id, []) == {}
