"""Who may see what, in one place: conditions that the stores put into their WHERE.

In every condition `$1` is the viewer's id, or NULL for somebody who is not signed in; `a` is the row of
the author (or of the account looked at) in `users`, and `p` the photo's row. A NULL viewer follows nobody,
blocks nobody, and is nobody's author, since a comparison with NULL is never true.
"""

from __future__ import annotations


def unblocked(person: str) -> str:
    """Return the condition that neither the viewer nor `person` (an SQL expression of an id) blocks the other."""
    return (
        f"NOT EXISTS (SELECT FROM blocks WHERE blocker_id = $1 AND blocked_id = {person}) "
        f"AND NOT EXISTS (SELECT FROM blocks WHERE blocker_id = {person} AND blocked_id = $1)"
    )


# The account exists, and nobody blocks anybody: what a search or a list of people may show.
KNOWN = f"a.deleted_at IS NULL AND {unblocked('a.id')}"

# Another person's profile is shown even to one who blocks them, so that they can be unblocked.
PROFILE = "a.deleted_at IS NULL AND NOT EXISTS (SELECT FROM blocks WHERE blocker_id = a.id AND blocked_id = $1::bigint)"

# What the account publishes: public, or followed by the viewer, or the viewer's own.
PUBLISHED = (
    f"{KNOWN} AND (NOT a.private OR a.id = $1 "
    "OR EXISTS (SELECT FROM follows WHERE follower_id = $1 AND followee_id = a.id))"
)

# Whether the account's person is online: their own to know, and their followers' if they allow it.
PRESENCE = (
    f"{KNOWN} AND (a.id = $1 OR a.presence = 'followers' "
    "AND EXISTS (SELECT FROM follows WHERE follower_id = $1 AND followee_id = a.id))"
)

# A photo in lists that others read.
SHOWN = f"p.state = 'ready' AND p.deleted_at IS NULL AND {PUBLISHED}"

# A photo that is asked for by name: authors see their own in any state.
READABLE = f"p.deleted_at IS NULL AND a.deleted_at IS NULL AND (p.author_id = $1 OR ({SHOWN}))"
