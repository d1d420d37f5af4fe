"""Visibility rules: the conditions that the stores put into their WHERE clauses.

In every condition `$1` is the viewer's id, or NULL for a visitor; `a` is the row of the author (or of the account
in question) in `users`, and `p` the row of the photo. A visitor follows and blocks no account and is the author of
none, since a comparison with NULL is never true.
"""

from __future__ import annotations


def unblocked(user_id: str) -> str:
    """Return the condition that neither the viewer nor `user_id` (an SQL expression) blocks the other."""
    return (
        f"NOT EXISTS (SELECT FROM blocks WHERE blocker_id = $1 AND blocked_id = {user_id}) "
        f"AND NOT EXISTS (SELECT FROM blocks WHERE blocker_id = {user_id} AND blocked_id = $1)"
    )


# The account exists and neither side blocks the other: what a search or a list of users may show.
KNOWN = f"a.deleted_at IS NULL AND {unblocked('a.id')}"

# A viewer sees the profile of an account that they block, so that they can unblock it.
PROFILE = "a.deleted_at IS NULL AND NOT EXISTS (SELECT FROM blocks WHERE blocker_id = a.id AND blocked_id = $1::bigint)"

# The account's photos are visible: it is public, or followed by the viewer, or the viewer's own.
PUBLISHED = (
    f"{KNOWN} AND (NOT a.private OR a.id = $1 "
    "OR EXISTS (SELECT FROM follows WHERE follower_id = $1 AND followee_id = a.id))"
)

# The account's presence is visible: to its owner, and to followers if the owner allows it.
PRESENCE = (
    f"{KNOWN} AND (a.id = $1 OR a.presence = 'followers' "
    "AND EXISTS (SELECT FROM follows WHERE follower_id = $1 AND followee_id = a.id))"
)

# A photo in a list.
SHOWN = f"p.state = 'ready' AND p.deleted_at IS NULL AND {PUBLISHED}"

# A photo requested by its id: authors see their own in any state.
READABLE = f"p.deleted_at IS NULL AND a.deleted_at IS NULL AND (p.author_id = $1 OR ({SHOWN}))"

# A comment `c`. The comments of a deleted account are deleted in batches, and are hidden from the beginning.
WRITTEN = (
    "c.deleted_at IS NULL AND NOT EXISTS (SELECT FROM users w WHERE w.id = c.author_id AND w.deleted_at IS NOT NULL)"
)
