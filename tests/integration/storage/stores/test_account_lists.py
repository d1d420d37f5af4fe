"""Accounts of many shards, which lists name by their ids."""

from __future__ import annotations

import pytest

from storage.models import User, UserSummary
from storage.postgres.database import Database
from storage.stores import account_lists
from storage.stores.accounts import account_fields, users
from storage.stores.social import follows, relations
from tests.support.community import block, follow, new_user, new_users

pytestmark = pytest.mark.engines


async def _five(database: Database) -> tuple[User, list[User]]:
    """Return Ann, and five users of whom she blocks the second; the third blocks her, and the fourth is deleted."""
    ann, *others = await new_users(database, "ann", "ben", "cat", "dan", "eve", "fay")
    await block(database, ann, others[1])
    await block(database, others[2], ann)
    async with database.transaction() as tx:
        await users.remove(tx, others[3].id)
    return ann, others


async def test_a_list_shows_whom_the_viewer_may_see(database: Database) -> None:
    """Deleted accounts are left out, and for a viewer those with a block in either direction; the rest is hidden."""
    ann, others = await _five(database)
    ids = [user.id for user in others]
    ben, cat, dan, eve, fay = others
    shown = await account_lists.shown(database, ids, viewer_id=ann.id)
    assert shown == {ben.id: ben, fay.id: fay}
    assert await account_lists.hidden(database, ids, viewer_id=ann.id) == {cat.id, dan.id, eve.id}
    short = await account_lists.summaries(database, ids, viewer_id=ann.id)
    assert short[ben.id] == UserSummary(
        id=ben.id, username="ben", display_name=ben.display_name, avatar_sha256=ben.avatar_sha256
    )
    assert short.keys() == shown.keys()
    for visible in (
        await account_lists.shown(database, ids, viewer_id=None),
        await account_lists.summaries(database, ids),
    ):
        assert visible.keys() == {ben.id, cat.id, dan.id, fay.id}
    assert await account_lists.hidden(database, ids, viewer_id=None) == {eve.id}


async def test_an_empty_list_asks_nothing(database: Database) -> None:
    """No id, no account; an id of no account is neither shown nor hidden."""
    for ids in ([], [5]):
        assert await account_lists.shown(database, ids, viewer_id=None) == {}
        assert await account_lists.summaries(database, ids) == {}
        assert await account_lists.hidden(database, ids, viewer_id=None) == set()


async def test_pages_are_filled_where_accounts_are_hidden(database: Database) -> None:
    """A page of followers, requests or found names has as many as it may, whatever is hidden between them."""
    ann, others = await _five(database)
    guarded, hidden = [await new_user(database, name, private=True) for name in ("guarded", "hidden")]
    idol = await new_user(database, "idol")
    await follow(database, ann, hidden)
    living = [user for user in others if user.username != "eve"]
    for user in living:
        await follow(database, user, idol)
        await follow(database, user, guarded)
    async with database.transaction() as tx:
        await users.remove(tx, living[-1].id)
    followers = await relations.followers(database, idol.id, before=None, limit=1, viewer_id=ann.id)
    assert [user.username for user in followers] == ["ben"]
    followers = await relations.followers(database, idol.id, before=None, limit=2)
    assert [user.username for user in followers] == ["dan", "cat"]
    waiting = await relations.requests(database, guarded.id, before=None, limit=1)
    assert [user.username for user in waiting] == ["dan"]
    found = [user.username for user in await users.search(database, "", viewer_id=ann.id, after=None, limit=3)]
    assert found == ["ann", "ben", "guarded"]
    async with database.transaction() as tx:
        await account_fields.update(tx, guarded.id, private=False)
        # One request at a time: that of the deleted account, which is the last, is deleted and grants nothing.
        granted = [await follows.grant_requests(tx, guarded.id, limit=1) for _ in range(5)]
    assert granted == [[user.id] for user in living[:-1]] + [[], None]
    assert [user.username for user in await relations.requests(database, hidden.id, before=None, limit=9)] == ["ann"]


async def test_a_deleted_account_grants_no_requests(database: Database) -> None:
    """Requests to follow an account that became public and was deleted are left to its erasure."""
    ben, guarded = await new_user(database, "ben"), await new_user(database, "guarded", private=True)
    await follow(database, ben, guarded)
    async with database.transaction() as tx:
        await account_fields.update(tx, guarded.id, private=False)
        await users.remove(tx, guarded.id)
    async with database.transaction() as tx:
        assert await follows.grant_requests(tx, guarded.id, limit=9) is None
    assert await database.fetchval("SELECT count(*) FROM follow_requests WHERE followee_id = $1", guarded.id) == 1
