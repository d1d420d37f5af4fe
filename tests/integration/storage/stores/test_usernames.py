"""Usernames change, lead to their account for a while, and are free again after that."""

from __future__ import annotations

import asyncio

import pytest

from storage.errors import ConflictError, NotFoundError
from storage.events import CopiesOutdated, UserChanged
from storage.models import User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, usernames, users
from storage.stores.comments import comments
from storage.stores.social import mentions
from tests.support.community import new_user, new_users, ready_photo

pytestmark = pytest.mark.engines

LATER = [
    "UPDATE usernames SET kept_until = kept_until - interval '31 days'",
    "UPDATE former_usernames SET kept_until = kept_until - interval '31 days'",
]
ROWS = "SELECT (SELECT count(*) FROM usernames) AS names, (SELECT count(*) FROM former_usernames) AS former"


async def _rename(database: Database, user: User, name: str) -> User:
    async with database.transaction() as tx:
        return await account_fields.update(tx, user.id, username=name)


async def _refused(database: Database, user: User, name: str) -> str:
    with pytest.raises(ConflictError) as caught:
        await _rename(database, user, name)
    assert caught.value.field == "username"
    return caught.value.code


async def _purge(database: Database) -> int:
    async with database.transaction() as tx:
        return await usernames.purge(tx, limit=9)


async def _rows(database: Database) -> tuple[int, int]:
    row = await database.fetchrow(ROWS)
    assert row is not None
    return row["names"], row["former"]


async def test_a_former_name_leads_to_its_account(database: Database) -> None:
    """After a change both names find the account, sign-ins too, and only the present one is listed."""
    ann = await new_user(database, "ann")
    renamed = await _rename(database, ann, "Anna")
    assert renamed.username == "Anna"
    for name in ("ann", "ANN", "anna"):
        assert await users.find(database, name) == renamed
        assert await users.credentials(database, name) == (renamed, "-", False, None, False)
    found = await users.search(database, "an", viewer_id=None, after=None, limit=9)
    assert [user.username for user in found] == ["Anna"]


async def test_a_former_name_cannot_be_taken(database: Database) -> None:
    """No other account gets a former name for 30 days, neither by signing up nor by a change; then it is free."""
    ann, ben = await new_users(database, "ann", "ben")
    await _rename(database, ann, "anna")
    with pytest.raises(ConflictError):
        await new_user(database, "Ann")
    assert await _refused(database, ben, "ann") == "username_taken"
    assert await _refused(database, ben, "ANNA") == "username_taken"
    assert await _purge(database) == 0
    for statement in LATER:
        await database.fetch(statement)
    with pytest.raises(NotFoundError):
        await users.find(database, "ann")
    assert (await _rename(database, ben, "ann")).id == ben.id
    assert (await users.find(database, "ann")).id == ben.id


async def test_a_mention_of_a_former_name(database: Database) -> None:
    """A former name in a text means its account, until its time is over."""
    ann, ben = await new_users(database, "ann", "ben")
    await _rename(database, ann, "anna")
    found = await mentions.resolve(database, "@ann", author_id=ben.id)
    assert [mention.user_id for mention in found] == [ann.id]
    for statement in LATER:
        await database.fetch(statement)
    assert await mentions.resolve(database, "@ann", author_id=ben.id) == ()


async def test_purge(database: Database) -> None:
    """The janitor frees expired names, and leaves one to the account that has taken it meanwhile."""
    ann, ben = await new_users(database, "ann", "ben")
    await _rename(database, ann, "anna")
    await _rename(database, ben, "benno")
    for statement in LATER:
        await database.fetch(statement)
    cat = await _rename(database, await new_user(database, "cat"), "ben")
    assert await _purge(database) == 2
    assert await _rows(database) == (4, 1)
    assert (await users.find(database, "ben")).id == cat.id


async def test_an_own_name_can_be_taken_back(database: Database) -> None:
    """An account takes back a name that it gave up, and changes between its names count only once each."""
    ann = await new_user(database, "ann")
    for name in ("anna", "ann", "anna", "ann"):
        assert (await _rename(database, ann, name)).username == name
        assert await _rows(database) == (2, 1)
    assert (await users.find(database, "anna")).username == "ann"


async def test_another_spelling(database: Database) -> None:
    """Another spelling of the same name is no new name."""
    ann = await new_user(database, "ann")
    assert (await _rename(database, ann, "ANN")).username == "ANN"
    assert await _rows(database) == (1, 0)
    found = await users.search(database, "ann", viewer_id=None, after=None, limit=9)
    assert [user.username for user in found] == ["ANN"]


async def test_few_names_are_kept(database: Database) -> None:
    """An account keeps two former names at most; the message says when the next change is possible."""
    ann = await new_user(database, "ann")
    await _rename(database, ann, "ann2")
    await _rename(database, ann, "ann3")
    with pytest.raises(ConflictError, match=r"2 times in 30 days.*from \d{4}-\d\d-\d\d \d\d:\d\d UTC"):
        await _rename(database, ann, "ann4")
    assert await _refused(database, ann, "ann4") == "too_many_renames"
    assert (await users.get(database, ann.id)).username == "ann3"
    for statement in LATER:
        await database.fetch(statement)
    assert (await _rename(database, ann, "ann4")).username == "ann4"


async def test_the_same_name_changes_nothing(database: Database) -> None:
    """A change to the present name emits no event."""
    ann = await new_user(database, "ann")
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, username="ann")
        assert tx.events == []


async def test_copies(database: Database) -> None:
    """The name in the account's comments changes with it, and events make the other copies follow."""
    ann = await new_user(database, "ann")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ann.id, text="x")
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, username="anna")
        assert tx.events == [UserChanged(user_id=ann.id, profile=True)]
    assert (await comments.get(database, comment.id)).author.username == "anna"


async def test_copies_in_many_comments(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older comments follow in batches."""
    monkeypatch.setattr(account_fields, "COMMENTS_AT_ONCE", 1)
    ann = await new_user(database, "ann")
    photo = await ready_photo(database, ann)
    for _ in range(2):
        async with database.transaction() as tx:
            comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ann.id, text="x")
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, username="anna")
        assert CopiesOutdated(user_id=ann.id, comments_below=comment.id) in tx.events


async def test_deletion_frees_all_names(database: Database) -> None:
    """A deleted account keeps no name, and cannot be renamed."""
    ann = await new_user(database, "ann")
    await _rename(database, ann, "anna")
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert await _rows(database) == (0, 0)
    with pytest.raises(NotFoundError):
        await _rename(database, ann, "ann")


async def test_one_of_many_gets_a_name(database: Database) -> None:
    """Of accounts that want one name at the same time exactly one gets it, and two that swap names both fail."""
    accounts = await new_users(database, "a", "b", "c", "d")
    outcomes = await asyncio.gather(*(_rename(database, one, "new") for one in accounts), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError"] * 3 + ["User"]
    pairs = zip(accounts, outcomes, strict=True)
    one, other, _ = [account for account, outcome in pairs if isinstance(outcome, ConflictError)]
    swapped = await asyncio.gather(
        _rename(database, one, other.username), _rename(database, other, one.username), return_exceptions=True
    )
    assert [type(outcome) for outcome in swapped] == [ConflictError] * 2
