"""Every rule of visibility for every kind of viewer, account and photo, compared with the rule in words."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from storage.models import Photo, PhotoAudience, PresenceAudience, User
from storage.postgres import visibility
from storage.postgres.database import Database
from storage.postgres.rows import PHOTOS
from storage.postgres.sharding import shard
from storage.stores.accounts import account_fields
from tests.support.community import new_user, new_users, processing_photo, ready_photo

pytestmark = [pytest.mark.engines, pytest.mark.usefixtures("neighbours")]

# The rows of what user $1 does to user $2, in the shards of both.
FOLLOW = (
    "following (shard, follower_id, followee_id) VALUES ($1::bigint & 1023, $1, $2)",
    "followers (shard, followee_id, follower_id) VALUES ($2::bigint & 1023, $2, $1)",
)
REQUEST = ("follow_requests (shard, followee_id, follower_id) VALUES ($2::bigint & 1023, $2, $1)",)
BLOCK = (
    "blocks (shard, owner_id, other_id, outgoing) VALUES ($1::bigint & 1023, $1, $2, true)",
    "blocks (shard, owner_id, other_id, outgoing) VALUES ($2::bigint & 1023, $2, $1, false)",
)
CLOSE_FRIEND = (
    "close_friends (shard, owner_id, other_id, outgoing) VALUES ($1::bigint & 1023, $1, $2, true)",
    "close_friends (shard, owner_id, other_id, outgoing) VALUES ($2::bigint & 1023, $2, $1, false)",
)
RULES: dict[str, Callable[[str], str]] = {
    "known": visibility.known,
    "profile": visibility.profile,
    "published": visibility.published,
    "presence": visibility.presence,
    "shown": visibility.shown,
    "readable": visibility.readable,
    "public_to_all": visibility.public_to_all,
}
VIEWERS = ("owner", "stranger", "follower", "close", "befriended", "followed", "asking", "blocking", "blocked")


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account with a photo in each state: `processing`, `ready` for each audience, and `deleted` after it was."""

    user: User
    private: bool
    deleted: bool
    presence: PresenceAudience
    photos: dict[str, Photo]


async def _account(database: Database, private: bool, deleted: bool, presence: PresenceAudience) -> Account:
    user = await new_user(database, f"{'private' if private else 'public'}{'_gone' * deleted}_{presence.value}")
    photos: dict[str, Photo] = {
        "processing": await processing_photo(database, user),
        "deleted": await ready_photo(database, user),
        **{audience.value: await ready_photo(database, user, audience=audience) for audience in PhotoAudience},
    }
    await database.fetch("UPDATE photos SET deleted_at = now() WHERE id = $1", photos["deleted"].id)
    async with database.transaction() as tx:
        await account_fields.update(tx, user.id, private=private, presence=presence)
        if deleted:
            await tx.execute("UPDATE users SET deleted_at = now() WHERE id = $1", user.id)
    return Account(user=user, private=private, deleted=deleted, presence=presence, photos=photos)


async def _relate(database: Database, account: Account, viewers: dict[str, User]) -> None:
    """Relate the viewers to an account. Those with a block follow it as well, so that the block alone decides."""
    for name in ("follower", "close", "blocking", "blocked"):
        await _insert(database, FOLLOW, viewers[name], account.user)
    for name in ("close", "befriended", "blocking", "blocked"):
        await _insert(database, CLOSE_FRIEND, account.user, viewers[name])
    # Whose close friend the account is gets nothing by that.
    await _insert(database, CLOSE_FRIEND, viewers["follower"], account.user)
    await _insert(database, FOLLOW, account.user, viewers["followed"])
    await _insert(database, REQUEST, viewers["asking"], account.user)
    await _insert(database, BLOCK, viewers["blocking"], account.user)
    await _insert(database, BLOCK, account.user, viewers["blocked"])


async def _insert(database: Database, rows: tuple[str, ...], one: User, other: User) -> None:
    for row in rows:
        await database.fetch(f"INSERT INTO {row}", one.id, other.id)


def _expected(account: Account, viewer: str | None, state: str) -> dict[str, bool]:
    """Return what each rule says; `state` is that of a photo, or the audience of a ready one."""
    separated, owner, follower = viewer in {"blocking", "blocked"}, viewer == "owner", viewer in {"follower", "close"}
    audiences = {
        "public": True,
        "followers": follower,
        "close_friends": viewer in {"close", "befriended"},
        "only_me": False,
    }
    known = not account.deleted and not separated
    published = known and (not account.private or owner or follower)
    shown = published and state in audiences and (owner or audiences[state])
    return {
        "known": known,
        "profile": not account.deleted and viewer != "blocked",
        "published": published,
        "presence": known and (owner or (follower and account.presence is PresenceAudience.FOLLOWERS)),
        "shown": shown,
        "public_to_all": shown and state == "public" and not account.private,
        "readable": shown or (owner and not account.deleted and state != "deleted"),
    }


async def test_each_rule_for_each_viewer(database: Database) -> None:
    """A block hides in both directions, a private account shows its photos to followers alone, and so on."""
    viewers = dict(zip(VIEWERS[1:], await new_users(database, *VIEWERS[1:]), strict=True))
    # Relations to others than the account give and take nothing.
    pairs = (("stranger", "asking"), ("followed", "stranger"), ("asking", "follower"))
    for one, other in pairs:
        await _insert(database, FOLLOW, viewers[one], viewers[other])
        await _insert(database, BLOCK, viewers["follower"], viewers[one])
        await _insert(database, BLOCK, viewers[one], viewers["follower"])
    for kind in itertools.product((False, True), (False, True), PresenceAudience):
        account = await _account(database, *kind)
        await _relate(database, account, viewers)
        for viewer, (state, photo) in itertools.product((None, *VIEWERS), account.photos.items()):
            viewer_id = None if viewer is None else account.user.id if viewer == "owner" else viewers[viewer].id
            # In a statement about one photo, and in one about many.
            for owner_shard in (shard("$2"), "a.shard"):
                found = await _found(database, owner_shard, viewer_id, photo)
                assert found == _expected(account, viewer, state), (kind, viewer, state, owner_shard)


async def _found(database: Database, owner_shard: str, viewer_id: int | None, photo: Photo) -> dict[str, bool]:
    columns = ", ".join(f"coalesce({rule(owner_shard)}, false) AS {name}" for name, rule in RULES.items())
    row = await database.fetchrow(
        f"SELECT {columns} FROM {PHOTOS} WHERE p.shard = {shard('$2')} AND p.id = $2",  # noqa: S608
        viewer_id,
        photo.id,
    )
    return dict(row or {})
