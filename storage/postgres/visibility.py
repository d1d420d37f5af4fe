"""Visibility rules: the conditions that the stores put into their WHERE clauses.

In every condition `$1` is the viewer's id, or NULL for a visitor; `a` is the row of the author (or of the account
in question) in `users`, and `p` the row of the photo. A visitor follows and blocks no account and is the author of
none, since a comparison with NULL is never true.

`owner_shard` is the SQL expression for the shard of `a`, from which all is read: follows and blocks have a row in the
shard of each side. In a statement about one account it is `shard` of a parameter, and `a.shard` in one about many
(`storage.postgres.sharding`).
"""

from __future__ import annotations


def kept(account: str = "a") -> str:
    """Return the condition that what belongs to an account is kept: it is there, or its deletion can be undone."""
    return f"({account}.deleted_at IS NULL OR {account}.deletion_due_at IS NOT NULL)"


def unblocked(user_id: str, owner_shard: str) -> str:
    """Return the condition that neither the viewer nor `user_id` (an SQL expression) blocks the other."""
    return (
        f"NOT EXISTS (SELECT 1 FROM blocks b WHERE b.shard = {owner_shard} "
        f"AND b.owner_id = {user_id} AND b.other_id = $1::bigint)"
    )


def followed(owner_shard: str) -> str:
    """Return the condition that the viewer follows the account."""
    return (
        f"EXISTS (SELECT 1 FROM followers f WHERE f.shard = {owner_shard} "
        "AND f.followee_id = a.id AND f.follower_id = $1::bigint)"
    )


def befriended(owner_shard: str) -> str:
    """Return the condition that the viewer is a close friend of the account."""
    return (
        f"EXISTS (SELECT 1 FROM close_friends c WHERE c.shard = {owner_shard} "
        "AND c.owner_id = a.id AND c.other_id = $1::bigint AND c.outgoing)"
    )


def visible(account: str = "a") -> str:
    """Return the condition that others are shown anything of an account: it is neither deleted nor suspended."""
    return f"{account}.deleted_at IS NULL AND {account}.suspended_at IS NULL"


def met(owner_shard: str) -> str:
    """Return the condition that a list may show the account to strangers; a limited one it shows to followers alone."""
    return f"(a.limited_at IS NULL OR a.id = $1 OR {followed(owner_shard)})"


def known(owner_shard: str) -> str:
    """Return the condition for a search or a list of users: the account is visible, and no side blocks the other."""
    return f"{visible()} AND {unblocked('a.id', owner_shard)}"


def profile(owner_shard: str) -> str:
    """Return the condition for a profile. A viewer sees that of an account they block, to unblock it.

    The user of a suspended account sees its profile alone.
    """
    return (
        "a.deleted_at IS NULL AND (a.suspended_at IS NULL OR a.id = $1) "
        f"AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.shard = {owner_shard} "
        "AND b.owner_id = a.id AND b.other_id = $1::bigint AND b.outgoing)"
    )


def published(owner_shard: str) -> str:
    """Return the condition for an account's photos: it is public, or followed by the viewer, or the viewer's own."""
    return f"{known(owner_shard)} AND (NOT a.private OR a.id = $1 OR {followed(owner_shard)})"


def addressed(owner_shard: str) -> str:
    """Return the condition that the viewer belongs to the audience of a photo; its author always does."""
    return (
        "(p.audience = 'public' OR p.author_id = $1 "
        f"OR (p.audience = 'followers' AND {followed(owner_shard)}) "
        f"OR (p.audience = 'close_friends' AND {befriended(owner_shard)}))"
    )


def presence(owner_shard: str) -> str:
    """Return the condition for an account's presence: its owner sees it, and followers if the owner allows it."""
    return f"{known(owner_shard)} AND (a.id = $1 OR a.presence = 'followers' AND {followed(owner_shard)})"


def shown(owner_shard: str) -> str:
    """Return the condition for a photo in a list."""
    return f"p.state = 'ready' AND p.deleted_at IS NULL AND {published(owner_shard)} AND {addressed(owner_shard)}"


def public_to_all(owner_shard: str) -> str:
    """Return the condition for a photo in a list that shows photos to strangers, for example the newest of all.

    Photos of private and limited accounts, and those for a narrower audience, are in none, not even for those who may
    see them.
    """
    return f"NOT a.private AND a.limited_at IS NULL AND p.audience = 'public' AND {shown(owner_shard)}"


def unmuted(owner_shard: str) -> str:
    """Return the condition that the viewer does not mute the account."""
    return (
        f"NOT EXISTS (SELECT 1 FROM mutes m WHERE m.shard = {owner_shard} "
        "AND m.owner_id = a.id AND m.other_id = $1::bigint AND NOT m.outgoing)"
    )


def findable(owner_shard: str) -> str:
    """Return the condition for an account in a search: it may be found, and a list may show it."""
    return f"a.searchable AND {known(owner_shard)} AND {met(owner_shard)}"


def found(owner_shard: str) -> str:
    """Return the condition for a photo in a search: strangers may see it, and its author may be found."""
    return f"a.searchable AND {public_to_all(owner_shard)}"


def readable(owner_shard: str) -> str:
    """Return the condition for a photo requested by its id: authors see their own in any state."""
    return f"p.deleted_at IS NULL AND a.deleted_at IS NULL AND (p.author_id = $1 OR ({shown(owner_shard)}))"
