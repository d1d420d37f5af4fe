"""Lists of accounts in a real database: their bounds, what ends a membership, and the pages of their photos."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from storage.errors import ConflictError, NotFoundError
from storage.models import Photo, User
from storage.postgres.database import Database, Transaction
from storage.stores import account_locks
from storage.stores.accounts import users
from storage.stores.photos import list_photos, photo_deletion
from storage.stores.social import blocks, follows, list_members, lists
from tests.support.community import block, follow, new_user, new_users, ready_photo
from tests.support.locks import wait_for_blocked_transaction
from tests.support.meanwhile import Meanwhile

pytestmark = pytest.mark.engines


async def _new_list(database: Database, owner: User, *members: User) -> int:
    async with database.transaction() as tx:
        created = await lists.create(tx, owner_id=owner.id, title="Friends")
    for member in members:
        assert await _add(database, created.id, member, owner)
    return created.id


async def _add(database: Database, list_id: int, member: User, owner: User) -> bool:
    async with database.transaction() as tx:
        return await list_members.add(tx, list_id, member.id, owner_id=owner.id)


async def _photo_ids(
    db: Database | Meanwhile, list_id: int, owner: User, *, before: int | None = None, limit: int = 9
) -> list[int]:
    found = await list_photos.page(db, list_id, owner_id=owner.id, before=before, limit=limit)
    return [photo.id for photo in found]


async def _members(database: Database, list_id: int) -> set[int]:
    rows = await database.fetch("SELECT account_id FROM list_members WHERE list_id = $1", list_id)
    return {row["account_id"] for row in rows}


async def test_lists_of_a_user(database: Database) -> None:
    """Lists are read newest first, renamed and deleted with their members; others do not find them."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    one, two = await _new_list(database, ann, ben, cat), await _new_list(database, ann)
    theirs = await _new_list(database, ben, ann)
    found = await lists.page(database, ann.id, before=None, limit=9)
    assert [(each.id, each.title, each.accounts) for each in found] == [(two, "Friends", 0), (one, "Friends", 2)]
    assert [each.id for each in await lists.page(database, ann.id, before=None, limit=1)] == [two]
    assert [each.id for each in await lists.page(database, ann.id, before=two, limit=9)] == [one]
    async with database.transaction() as tx:
        renamed = await lists.rename(tx, one, owner_id=ann.id, title="Family")
    assert (renamed.id, renamed.title, renamed.accounts) == (one, "Family", 2)
    assert await lists.get(database, one, owner_id=ann.id) == renamed
    assert [each.id for each in await lists.with_account(database, ann.id, ben.id)] == [one]
    assert await lists.with_account(database, ann.id, ann.id) == []
    for owner, list_id in ((ben, one), (ann, theirs), (ann, one + 1024)):
        async with database.transaction() as tx:
            for change in (
                lists.get(tx, list_id, owner_id=owner.id),
                lists.rename(tx, list_id, owner_id=owner.id, title="x"),
                lists.delete(tx, list_id, owner_id=owner.id),
                list_members.add(tx, list_id, cat.id, owner_id=owner.id),
                list_members.remove(tx, list_id, cat.id, owner_id=owner.id),
                list_members.page(tx, list_id, owner_id=owner.id, before=None, limit=9),
                list_photos.page(tx, list_id, owner_id=owner.id, before=None, limit=9),
            ):
                with pytest.raises(NotFoundError, match="list"):
                    await change
    assert (await _members(database, one), await _members(database, theirs)) == ({ben.id, cat.id}, {ann.id})
    async with database.transaction() as tx:
        await lists.delete(tx, one, owner_id=ann.id)
    assert await _members(database, one) == set()
    assert [each.id for each in await lists.page(database, ann.id, before=None, limit=9)] == [two]
    assert await _members(database, theirs) == {ann.id}


async def test_members(database: Database) -> None:
    """An account is in a list once, followed or not, private or not; the owner is in none, nor is an unknown one."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    dan = await new_user(database, "dan", private=True)
    list_id = await _new_list(database, ann, cat, dan, ben)
    assert not await _add(database, list_id, cat, ann)
    with pytest.raises(ConflictError) as caught:
        await _add(database, list_id, ann, ann)
    assert caught.value.code == "not_in_your_own_list"
    async with database.transaction() as tx:
        with pytest.raises(NotFoundError, match="user"):
            await list_members.add(tx, list_id, ben.id + 1024, owner_id=ann.id)
        assert [await list_members.remove(tx, list_id, cat.id, owner_id=ann.id) for _ in range(2)] == [True, False]
    assert await _members(database, list_id) == {ben.id, dan.id}
    page = await list_members.page(database, list_id, owner_id=ann.id, before=None, limit=1)
    assert [user.id for user in page] == [dan.id]
    page = await list_members.page(database, list_id, owner_id=ann.id, before=dan.id, limit=9)
    assert [user.id for user in page] == [ben.id]


async def test_hidden_members_do_not_end_the_pages_of_accounts(database: Database) -> None:
    """A deleted account is left out of the accounts of a list, and the page is filled up below it."""
    ann, *others = await new_users(database, "ann", "ben", "cat", "dan")
    list_id = await _new_list(database, ann, *others)
    async with database.transaction() as tx:
        await users.remove(tx, others[2].id)
    page = await list_members.page(database, list_id, owner_id=ann.id, before=None, limit=2)
    assert [user.id for user in page] == [others[1].id, others[0].id]


async def test_the_number_of_lists_and_of_accounts_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if two are added at the same moment; what is refused changes nothing, and a repetition is no addition."""
    assert (lists.MAX, list_members.MAX) == (50, 500)
    monkeypatch.setattr(lists, "MAX", 2)
    monkeypatch.setattr(list_members, "MAX", 2)
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    list_id = await _new_list(database, ann, ben)

    async def create(tx: Transaction) -> None:
        await lists.create(tx, owner_id=ann.id, title="Friends")

    async def add(tx: Transaction, user: User) -> None:
        await list_members.add(tx, list_id, user.id, owner_id=ann.id)

    async def run(change: Callable[[Transaction], Awaitable[None]]) -> None:
        async with database.transaction() as tx:
            await change(tx)

    for code, first, second in (
        ("too_many_lists", create, create),
        ("list_full", partial(add, user=cat), partial(add, user=dan)),
    ):
        async with database.transaction() as tx:
            await first(tx)
            waiting = asyncio.create_task(run(second))
            await wait_for_blocked_transaction(database)
        with pytest.raises(ConflictError) as caught:
            await waiting
        assert caught.value.code == code
    assert len(await lists.page(database, ann.id, before=None, limit=9)) == 2
    assert await _members(database, list_id) == {ben.id, cat.id}
    assert not await _add(database, list_id, ben, ann)
    # Those of others do not count.
    await _new_list(database, ben, cat, dan)


@pytest.mark.parametrize("turned", [False, True])
async def test_a_block_ends_memberships_on_both_sides(database: Database, turned: bool) -> None:
    """Afterwards neither can add the other to a list; a block of another account ends nothing."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    one, two = await _new_list(database, ann, ben, cat), await _new_list(database, ann, ben)
    theirs, others = await _new_list(database, ben, ann, cat), await _new_list(database, cat, ann, ben)
    await block(database, *((ben, ann) if turned else (ann, ben)))
    assert [await _members(database, list_id) for list_id in (one, two, theirs, others)] == [
        {cat.id},
        set(),
        {cat.id},
        {ann.id, ben.id},
    ]
    for list_id, member, owner in ((one, ben, ann), (theirs, ann, ben)):
        with pytest.raises(NotFoundError, match="user"):
            await _add(database, list_id, member, owner)
    async with database.transaction() as tx:
        await blocks.unblock(tx, *((ben.id, ann.id) if turned else (ann.id, ben.id)))
    assert await _add(database, one, ben, ann)


@pytest.mark.parametrize("turned", [False, True])
async def test_an_addition_during_a_block_waits_and_is_refused(database: Database, turned: bool) -> None:
    """An account that is being blocked, or blocks the owner, does not get into a list."""
    ann, ben = await new_users(database, "ann", "ben")
    list_id = await _new_list(database, ann)
    async with database.transaction() as tx:
        await blocks.block(tx, *((ben.id, ann.id) if turned else (ann.id, ben.id)))
        adding = asyncio.create_task(_add(database, list_id, ben, ann))
        await wait_for_blocked_transaction(database)
    with pytest.raises(NotFoundError, match="user"):
        await adding
    assert await _members(database, list_id) == set()


async def test_an_addition_during_the_deletion_of_its_list_waits_and_is_refused(database: Database) -> None:
    """It does not find the list any more, instead of failing at its key."""
    ann, ben = await new_users(database, "ann", "ben")
    list_id = await _new_list(database, ann)
    async with database.transaction() as tx:
        await lists.delete(tx, list_id, owner_id=ann.id)
        adding = asyncio.create_task(_add(database, list_id, ben, ann))
        await wait_for_blocked_transaction(database)
    with pytest.raises(NotFoundError, match="list"):
        await adding


async def test_the_deletion_of_a_list_waits_for_an_addition(database: Database) -> None:
    """It deletes the membership that was being added, too."""
    ann, ben = await new_users(database, "ann", "ben")
    list_id = await _new_list(database, ann)

    async def delete() -> None:
        async with database.transaction() as tx:
            await lists.delete(tx, list_id, owner_id=ann.id)

    async with database.transaction() as tx:
        await list_members.add(tx, list_id, ben.id, owner_id=ann.id)
        deleting = asyncio.create_task(delete())
        await wait_for_blocked_transaction(database)
    await deleting
    assert await _members(database, list_id) == set()


@pytest.mark.parametrize("turned", [False, True])
async def test_accounts_are_locked_in_the_order_of_their_ids(database: Database, turned: bool) -> None:
    """Two users who add each other at the same moment wait for each other in one order, without a deadlock."""
    low, high = sorted(await new_users(database, "ann", "ben"), key=lambda user: user.id)
    owner, member = (high, low) if turned else (low, high)
    list_id = await _new_list(database, owner)
    async with database.transaction() as tx:
        await account_locks.lock(tx, [low.id])
        adding = asyncio.create_task(_add(database, list_id, member, owner))
        await wait_for_blocked_transaction(database)
        assert await database.fetch("SELECT 1 FROM users WHERE id = $1 FOR UPDATE SKIP LOCKED", high.id)
    assert await adding


async def _photos(database: Database, *authors: User) -> list[Photo]:
    return [await ready_photo(database, author) for author in authors]


async def test_photos_of_a_list(database: Database) -> None:
    """Each photo of the members once, newest first, page by page; photos of others and of the owner are left out."""
    ann, ben, cat, dan = await new_users(database, "ann", "ben", "cat", "dan")
    list_id = await _new_list(database, ann, ben, cat)
    await follow(database, ann, dan)
    made = await _photos(database, ben, cat, dan, ben, ann, ben, cat)
    expected = [photo.id for photo in reversed(made) if photo.author.id in {ben.id, cat.id}]
    assert await _photo_ids(database, list_id, ann) == expected
    read: list[int] = []
    for _ in range(4):
        read += await _photo_ids(database, list_id, ann, before=read[-1] if read else None, limit=2)
    assert read == expected
    assert await _photo_ids(database, await _new_list(database, ann), ann) == []


async def test_what_a_list_leaves_out(database: Database) -> None:
    """Photos of muted, deleted and private accounts, unless these are followed, and photos that are not ready."""
    ann, muted, deleted, shown = await new_users(database, "ann", "muted", "deleted", "shown")
    private, followed = [await new_user(database, name, private=True) for name in ("private", "followed")]
    members = (muted, deleted, shown, private, followed)
    list_id = await _new_list(database, ann, *members)
    await follow(database, ann, followed)
    async with database.transaction() as tx:
        await follows.accept(tx, followed.id, ann.id)
    of_muted, _, of_shown, _, of_followed = [photo.id for photo in await _photos(database, *members)]
    hidden = await ready_photo(database, shown)
    async with database.transaction() as tx:
        await blocks.mute(tx, ann.id, muted.id)
        await blocks.mute(tx, shown.id, ann.id)
        await users.remove(tx, deleted.id)
        await photo_deletion.delete(tx, hidden.id, author_id=shown.id)
    assert await _photo_ids(database, list_id, ann) == [of_followed, of_shown]
    # Of these, a mute alone can end, and the membership is still there.
    async with database.transaction() as tx:
        await blocks.unmute(tx, ann.id, muted.id)
    assert await _photo_ids(database, list_id, ann) == [of_followed, of_shown, of_muted]


async def test_a_photo_that_is_deleted_meanwhile_does_not_end_the_list(database: Database) -> None:
    """A page from which a photo disappears while it is read is filled up with the next ones."""
    ann, ben = await new_users(database, "ann", "ben")
    list_id = await _new_list(database, ann, ben)
    made = [photo.id for photo in reversed(await _photos(database, ben, ben, ben, ben))]

    async def delete() -> None:
        # After the ids were read, and before the photos are.
        async with database.transaction() as tx:
            await photo_deletion.delete(tx, made[1], author_id=ben.id)

    class AfterIds(Meanwhile):
        async def fetch(self, sql: str, *args: object) -> Any:
            return await (super().fetch(sql, *args) if "LATERAL" in sql else database.fetch(sql, *args))

    found = await _photo_ids(AfterIds(database, delete), list_id, ann, limit=3)
    assert found == [made[0], made[2], made[3]]
