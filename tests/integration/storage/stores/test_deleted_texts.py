"""Rows of what is deleted stay for their ids; what they say does not."""

from __future__ import annotations

import pytest

from storage.postgres.database import Database
from storage.stores.accounts import erasure, users
from storage.stores.comments import comment_deletion, comments, hidden_comments
from storage.stores.photos import photo_deletion, photo_edits
from tests.support.community import new_users, old_users, ready_photo
from tests.support.stored_words import tables_with

pytestmark = pytest.mark.engines

WORD = "petrichor"


async def test_a_deleted_photo_says_nothing(database: Database) -> None:
    """Caption, description, place and tags are gone with the deletion, and so is the small picture of it."""
    (ann,) = await new_users(database, "ann")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        await photo_edits.edit(
            tx, photo.id, author_id=ann.id, caption=f"{WORD} #{WORD}", alt_text=WORD, location=WORD, tags=[WORD]
        )
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    assert [table for table in await tables_with(database, WORD) if table not in {"outbox", "tag_recounts"}] == []
    assert await database.fetchval("SELECT placeholder FROM photos WHERE id = $1", photo.id) is None


async def test_a_deleted_comment_says_nothing(database: Database) -> None:
    """Neither do the replies that it takes with it, by its author or by the owner of the photo."""
    ann, ben = await old_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        first, _ = await comments.add(tx, photo_id=photo.id, author_id=ben.id, text=WORD)
        await comments.add(tx, photo_id=photo.id, author_id=ann.id, text=WORD, reply_to=first.id)
        await comment_deletion.delete(tx, first.id, user_id=ann.id)
    assert await tables_with(database, WORD) == []


async def test_comments_that_a_block_withdraws_say_nothing(database: Database) -> None:
    """They do not come back with the end of the block."""
    ann, ben = await old_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        await comments.add(tx, photo_id=photo.id, author_id=ben.id, text=WORD)
        await comment_deletion.delete_some(tx, author_id=ben.id, owner_id=ann.id, limit=9)
    assert await tables_with(database, WORD) == []


async def test_a_hidden_comment_is_kept_until_its_author_is_erased(database: Database) -> None:
    """A moderator may restore it, and its author may appeal; once the account is erased, neither can happen."""
    ann, ben = await old_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ben.id, text=WORD)
        await hidden_comments.hide(tx, comment.id)
    assert await tables_with(database, WORD) == ["comments"]
    async with database.transaction() as tx:
        await users.remove(tx, ben.id)
    more = True
    while more:
        async with database.transaction() as tx:
            more = await erasure.erase(tx, ben.id, grace_minutes=0)
    assert await tables_with(database, WORD) == []
    async with database.transaction() as tx:
        assert await hidden_comments.restore(tx, comment.id) is None
