"""Every rule of visibility for every kind of viewer, account and photo, compared with the rule in words."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from storage.models import Photo, PresenceAudience, User
from storage.postgres import visibility
from storage.postgres.database import Database
from storage.stores import users
from tests.support.community import new_user, new_users, processing_photo, ready_photo

pytestmark = pytest.mark.engines

VIEWERS = ("owner", "stranger", "follower", "followed", "asking", "blocking", "blocked")


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account with a photo in each state: `processing`, `ready`, and `deleted` after it was ready."""

    user: User
    private: bool
    deleted: bool
    presence: PresenceAudience
    photos: dict[str, Photo]


async def _account(database: Database, private: bool, deleted: bool, presence: PresenceAudience) -> Account:
    user = await new_user(database, f"{'private' if private else 'public'}{'_gone' * deleted}_{presence.value}")
    photos = {
        "processing": await processing_photo(database, user),
        "ready": await ready_photo(database, user),
        "deleted": await ready_photo(database, user),
    }
    await database.fetch("UPDATE photos SET deleted_at = now() WHERE id = $1", photos["deleted"].id)
    async with database.transaction() as tx:
        await users.update(tx, user.id, private=private, presence=presence)
        if deleted:
            await tx.execute("UPDATE users SET deleted_at = now() WHERE id = $1", user.id)
    return Account(user=user, private=private, deleted=deleted, presence=presence, photos=photos)


async def _relate(database: Database, account: Account, viewers: dict[str, User]) -> None:
    """Relate the viewers to an account. Those with a block follow it as well, so that the block alone decides."""
    rows = {
        "follows (follower_id, followee_id)": [
            *((viewers[name].id, account.user.id) for name in ("follower", "blocking", "blocked")),
            (account.user.id, viewers["followed"].id),
        ],
        "follow_requests (follower_id, followee_id)": [(viewers["asking"].id, account.user.id)],
        "blocks (blocker_id, blocked_id)": [
            (viewers["blocking"].id, account.user.id),
            (account.user.id, viewers["blocked"].id),
        ],
    }
    for table, pairs in rows.items():
        for pair in pairs:
            await _insert(database, table, *pair)


async def _insert(database: Database, table: str, one_id: int, other_id: int) -> None:
    await database.fetch(f"INSERT INTO {table} VALUES ($1, $2)", one_id, other_id)  # noqa: S608


def _expected(account: Account, viewer: str | None, state: str) -> dict[str, bool]:
    separated, owner, follower = viewer in {"blocking", "blocked"}, viewer == "owner", viewer == "follower"
    known = not account.deleted and not separated
    published = known and (not account.private or owner or follower)
    shown = published and state == "ready"
    return {
        "KNOWN": known,
        "PROFILE": not account.deleted and viewer != "blocked",
        "PUBLISHED": published,
        "PRESENCE": known and (owner or (follower and account.presence is PresenceAudience.FOLLOWERS)),
        "SHOWN": shown,
        "READABLE": shown or (owner and not account.deleted and state != "deleted"),
    }


async def test_each_rule_for_each_viewer(database: Database) -> None:
    """A block hides in both directions, a private account shows its photos to followers alone, and so on."""
    viewers = dict(zip(VIEWERS[1:], await new_users(database, *VIEWERS[1:]), strict=True))
    # Relations to others than the account give and take nothing.
    pairs = (("stranger", "asking"), ("followed", "stranger"), ("asking", "follower"))
    for one, other in pairs:
        await _insert(database, "follows (follower_id, followee_id)", viewers[one].id, viewers[other].id)
        await _insert(database, "blocks (blocker_id, blocked_id)", viewers["follower"].id, viewers[one].id)
        await _insert(database, "blocks (blocker_id, blocked_id)", viewers[one].id, viewers["follower"].id)
    for kind in itertools.product((False, True), (False, True), PresenceAudience):
        account = await _account(database, *kind)
        await _relate(database, account, viewers)
        names = ("KNOWN", "PROFILE", "PUBLISHED", "PRESENCE", "SHOWN", "READABLE")
        columns = ", ".join(f"coalesce({getattr(visibility, name)}, false) AS {name}" for name in names)
        for viewer, (state, photo) in itertools.product((None, *VIEWERS), account.photos.items()):
            viewer_id = None if viewer is None else account.user.id if viewer == "owner" else viewers[viewer].id
            row = await database.fetchrow(
                f"SELECT {columns} FROM photos p JOIN users a ON a.id = p.author_id WHERE p.id = $2",  # noqa: S608
                viewer_id,
                photo.id,
            )
            assert row is not None
            found = {name: row[name.lower()] for name in names}
            assert found == _expected(account, viewer, state), (kind, viewer, state)
