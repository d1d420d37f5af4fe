"""Accounts in a real database."""

from __future__ import annotations

import asyncio

import pytest

from storage import ids
from storage.errors import ConflictError, InvalidValueError, NotFoundError
from storage.models import PresenceAudience, Role, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, usernames, users
from storage.stores.comments import comment_lists, comments
from storage.stores.credentials import sessions
from storage.stores.photos import photo_lists, photos
from tests.support.community import block, new_user, new_users, processing_photo, ready_photo, topics

pytestmark = pytest.mark.engines

NASTY = "'); DROP TABLE users; -- \" \\ % _ $1 {0} \u202e <script>\U0001f4f7\n\t"


async def _remove(database: Database, user: User) -> list[str]:
    async with database.transaction() as tx:
        return await users.remove(tx, user.id)


async def test_create_and_find(database: Database) -> None:
    """An account is found by its id, its id in text, and its username in any case."""
    ann = await new_user(database, "ann")
    assert await users.get(database, ann.id) == ann
    assert await users.find(database, ids.encode(ann.id)) == ann
    assert await users.find(database, "ANN") == ann
    with pytest.raises(NotFoundError):
        await users.find(database, "nobody")


async def test_id_before_name(database: Database) -> None:
    """A username that equals another account's id does not hide that account."""
    ann = await new_user(database, "ann")
    await new_user(database, ids.encode(ann.id).lower())
    assert (await users.find(database, ids.encode(ann.id))).username == "ann"


@pytest.mark.parametrize(
    ("username", "email", "code"),
    [("ANN", "other@example.org", "username_taken"), ("other", "Ann@Example.org", "email_taken")],
)
async def test_taken_names(database: Database, username: str, email: str, code: str) -> None:
    """A taken username or e-mail address is a conflict that names it, whatever its case."""
    await new_user(database, "ann")
    with pytest.raises(ConflictError) as caught:
        async with database.transaction() as tx:
            await users.create(tx, username=username, email=email, password_hash="-", display_name="")
    assert caught.value.code == code
    assert caught.value.field == code.removesuffix("_taken")


async def test_credentials(database: Database) -> None:
    """The credentials of a username in any case; those of an unknown one are None."""
    ann = await new_user(database, "ann")
    assert await users.credentials(database, "Ann") == (ann, "-", False, None, False)
    assert await users.credentials_of(database, ann.id) == (ann, "-", False, None, False)
    assert await users.credentials(database, "ben") is None


async def test_update(database: Database) -> None:
    """An update changes the given fields only, and an empty avatar removes the avatar."""
    ann = await new_user(database, "ann")
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, bio="climbs", settings={"theme": "dark"}, avatar_sha256="a" * 64)
        changed = await account_fields.update(tx, ann.id, private=True)
        assert (changed.bio, changed.settings, changed.private) == ("climbs", {"theme": "dark"}, True)
        assert changed.avatar_sha256 == "a" * 64
        assert (await account_fields.update(tx, ann.id, avatar_sha256="")).avatar_sha256 is None


async def test_update_of_public_fields_emits_an_event(database: Database) -> None:
    """A new name emits an event; new settings do not."""
    ann = await new_user(database, "ann")
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, settings={"theme": "dark"}, bio="x")
        assert tx.events == []
        await account_fields.update(tx, ann.id, display_name="Ann B.")
    assert await topics(database) == ["user.changed"]


async def test_hiding_presence_emits_an_event(database: Database) -> None:
    """Hiding the presence emits an event, because it ends subscriptions."""
    ann = await new_user(database, "ann")
    assert ann.presence is PresenceAudience.FOLLOWERS
    for presence in (PresenceAudience.FOLLOWERS, PresenceAudience.NOBODY, None):
        async with database.transaction() as tx:
            ann = await account_fields.update(tx, ann.id, presence=presence)
    assert ann.presence is PresenceAudience.NOBODY
    assert await topics(database) == ["presence.hidden"]


async def test_new_name_reaches_comments(database: Database) -> None:
    """A new name and avatar appear in the user's comments."""
    ann, ben = await new_users(database, "ann", "ben")
    photo = await ready_photo(database, ann)
    async with database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ben.id, text="nice")
        await account_fields.update(tx, ben.id, display_name="Benjamin", avatar_sha256="b" * 64)
    author = (await comments.get(database, comment.id)).author
    assert (author.display_name, author.avatar_sha256) == ("Benjamin", "b" * 64)


async def test_special_text_is_returned(database: Database) -> None:
    """Text that looks like SQL or markup is stored unchanged in every field."""
    ann = await new_user(database, "ann")
    async with database.transaction() as tx:
        user = await account_fields.update(tx, ann.id, display_name=NASTY, bio=NASTY, settings={NASTY: NASTY})
    assert (user.display_name, user.bio, user.settings) == (NASTY, NASTY, {NASTY: NASTY})
    photo = await ready_photo(database, ann, caption=NASTY, alt_text=NASTY, tags=[NASTY], location=NASTY)
    assert (photo.caption, photo.alt_text, photo.tags, photo.location) == (NASTY, NASTY, (NASTY,), NASTY)
    assert await photo_lists.by_tag(database, NASTY, viewer_id=None, before=None, limit=9) == [photo]
    async with database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ann.id, text=NASTY)
    assert comment.text == NASTY
    assert comment.author.display_name == NASTY
    assert await users.search(database, NASTY, viewer_id=None, after=NASTY, limit=9) == []
    with pytest.raises(NotFoundError):
        await users.find(database, NASTY)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_text_that_cannot_be_stored(database: Database, text: str) -> None:
    """A NUL and a lone surrogate are invalid values, in text and in JSON."""
    ann = await new_user(database, "ann")
    for changes in ({"bio": text}, {"settings": {"a": text}}):
        with pytest.raises(InvalidValueError):
            async with database.transaction() as tx:
                await account_fields.update(tx, ann.id, **changes)
    with pytest.raises(InvalidValueError):
        await users.find(database, text)


async def test_numbers_too_large_are_refused(database: Database) -> None:
    """An id beyond 64 bits is an invalid value, not an outage."""
    with pytest.raises(InvalidValueError):
        await users.get(database, 1 << 64)


async def test_names_are_those_of_the_accounts(database: Database) -> None:
    """Each account has one row for its username and one for its address, which its deletion deletes, and an inbox."""
    ann, ben = await new_users(database, "ann", "ben")
    with pytest.raises(ConflictError):
        await new_user(database, "ANN")
    await _remove(database, ann)
    cat = await new_user(database, "cat")
    assert [await usernames.id_of(database, name) for name in ("Ann", "Ben", "CAT")] == [None, ben.id, cat.id]
    for table, column in (("usernames", "username"), ("emails", "email")):
        rows = await database.fetch(f"SELECT user_id, {column}::text FROM {table}")  # noqa: S608
        assert {tuple(row) for row in rows} == {(user.id, getattr(user, column)) for user in (ben, cat)}
    inboxes = await database.fetch("SELECT user_id FROM inboxes")
    assert {row["user_id"] for row in inboxes} == {ann.id, ben.id, cat.id}


async def test_one_of_many_gets_a_name(database: Database) -> None:
    """Of concurrent sign-ups with one name exactly one succeeds, and the others leave nothing."""
    outcomes = await asyncio.gather(*(new_user(database, "ann") for _ in range(5)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConflictError)]
    assert [error.code for error in refused] == ["username_taken"] * 4
    counts = await database.fetchrow(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM emails), (SELECT count(*) FROM inboxes)"
    )
    assert counts is not None
    assert tuple(counts) == (1, 1, 1)


async def test_a_name_that_looks_like_an_id(database: Database) -> None:
    """A username that is the id of no account, or of one that is deleted or blocks the viewer, is found by name."""
    ann, ben, cat = await new_users(database, "ann", "ben", "cat")
    unknown = await new_user(database, ids.encode(5))
    assert await users.find(database, ids.encode(5)) == unknown
    twin, other = await new_user(database, ids.encode(ann.id)), await new_user(database, ids.encode(ben.id))
    await block(database, ben, cat)
    assert await users.find(database, ids.encode(ben.id)) == ben
    assert await users.find(database, ids.encode(ben.id), viewer_id=cat.id) == other
    await _remove(database, ann)
    assert await users.find(database, ids.encode(ann.id)) == twin


async def test_set_role(database: Database) -> None:
    """A role is set by username; an unknown one is not found."""
    await new_user(database, "ann")
    async with database.transaction() as tx:
        assert (await users.set_role(tx, "Ann", Role.MODERATOR)).role is Role.MODERATOR
        with pytest.raises(NotFoundError):
            await users.set_role(tx, "ben", Role.ADMIN)


async def test_search_by_prefix(database: Database) -> None:
    """A search finds usernames by prefix in either case, sorted, page by page, and without wildcards."""
    await new_users(database, "anna", "Annika", "ann_x", "annxx", "ben")
    found = await users.search(database, "ANN", viewer_id=None, after=None, limit=2)
    assert [user.username for user in found] == ["ann_x", "anna"]
    rest = await users.search(database, "ANN", viewer_id=None, after="anna", limit=9)
    assert [user.username for user in rest] == ["Annika", "annxx"]
    assert [u.username for u in await users.search(database, "ann_", viewer_id=None, after=None, limit=9)] == ["ann_x"]


async def test_search_leaves_out_blocked_users(database: Database) -> None:
    """With a block in either direction neither user finds the other."""
    ann, ben = await new_users(database, "ann", "ben")
    await block(database, ann, ben)
    assert await users.search(database, "ben", viewer_id=ann.id, after=None, limit=9) == []
    assert await users.search(database, "ann", viewer_id=ben.id, after=None, limit=9) == []
    assert len(await users.search(database, "ann", viewer_id=None, after=None, limit=9)) == 1


async def test_profile_with_a_block(database: Database) -> None:
    """A blocked user does not find the profile; the blocker does, to be able to unblock."""
    ann, ben = await new_users(database, "ann", "ben")
    await block(database, ann, ben)
    with pytest.raises(NotFoundError):
        await users.find(database, "ann", viewer_id=ben.id)
    assert (await users.find(database, "ben", viewer_id=ann.id)).id == ben.id


async def test_touch_writes_once_an_hour(database: Database) -> None:
    """The time when a user was last seen is not written for every request."""
    ann = await new_user(database, "ann")
    first = await database.fetchval("SELECT last_seen_at FROM users WHERE id = $1", ann.id)
    await users.touch(database, ann.id)
    assert await database.fetchval("SELECT last_seen_at FROM users WHERE id = $1", ann.id) == first
    await database.fetchval("UPDATE users SET last_seen_at = now() - interval '61 minutes' WHERE id = $1", ann.id)
    await users.touch(database, ann.id)
    assert await database.fetchval("SELECT last_seen_at > $2 FROM users WHERE id = $1", ann.id, first)


async def test_remove_hides_everything(database: Database) -> None:
    """A deleted account is hidden with its photos, comments and sessions, and its names are free."""
    ann, ben = await new_users(database, "ann", "ben")
    photo, other = await ready_photo(database, ann), await ready_photo(database, ben)
    await processing_photo(database, ann)
    async with database.transaction() as tx:
        await comments.add(tx, photo_id=other.id, author_id=ann.id, text="hello")
        sid = await sessions.open(tx, ann.id, token_sha256=b"1", expires_at=ann.created_at)
    assert await _remove(database, ann) == [sid]
    with pytest.raises(NotFoundError):
        await users.get(database, ann.id)
    with pytest.raises(NotFoundError):
        await photos.get(database, photo.id, viewer_id=ann.id)
    assert await users.credentials(database, "ann") is None
    assert await comment_lists.page(database, other.id, viewer_id=ben.id, limit=9) == []
    removed = ["session.ended", "media.purge", "user.changed", "actor.removed", "account.deleted"]
    assert (await topics(database))[-5:] == removed
    assert (await new_user(database, "ann")).id != ann.id
    with pytest.raises(NotFoundError):
        await _remove(database, ann)
