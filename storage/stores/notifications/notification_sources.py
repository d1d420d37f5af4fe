"""What mentions, replies, likes of comments and bells report: it is in or below photos of others, in their shards.

A recipient is notified only of what is below a photo that the recipient may see, and not of a reply to a comment that
is hidden from the recipient. The comment is read only as long as that is so.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import PHOTOS
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import readable
from storage.stores import account_lists
from storage.stores.comments.comment_threads import author_above

_SOURCE = shard("$2")
_MENTIONED = "@> jsonb_build_array(jsonb_build_object('user_id', $1::bigint))"
_LIKED = f"EXISTS (SELECT 1 FROM comment_likes l WHERE l.shard = {_SOURCE} AND l.comment_id = c.id AND l.user_id = $3)"
# What makes a comment `c` by the actor, or with a like of the actor ($3), concern the recipient ($1).
_CONCERNS = {
    NotificationKind.MENTION: f"c.author_id = $3 AND c.mentions {_MENTIONED}",
    NotificationKind.REPLY: "c.author_id = $3 AND c.answered_id = $1",
    NotificationKind.COMMENT_LIKE: f"c.author_id = $1 AND {_LIKED}",
}
KINDS = frozenset({*_CONCERNS, NotificationKind.POST_BY})
# What makes a photo `p` by the actor ($3) concern the recipient ($1).
_OF_PHOTO = {
    NotificationKind.MENTION: f"p.mentions {_MENTIONED}",
    NotificationKind.POST_BY: (
        f"EXISTS (SELECT 1 FROM followers f WHERE f.shard = {_SOURCE} AND f.followee_id = $3 AND f.follower_id = $1 "
        "AND f.bell)"
    ),
}
_ONE_SHARD = f"c.shard = {_SOURCE} AND p.shard = {_SOURCE} AND a.shard = {_SOURCE}"
_COMMENTS = f"{PHOTOS} JOIN comments c ON c.photo_id = p.id AND c.shard = p.shard"


class SourceComment(NamedTuple):
    """A comment that an entry is about."""

    id: int
    text: str
    author_id: int


class Source(NamedTuple):
    """Whether an activity holds, and the comment at the top of the thread that it is in, None for a photo."""

    holds: bool
    thread: int | None = None


async def find(tx: Transaction, activity: Activity) -> Source:
    """Return whether the database has what an activity of one of `KINDS` reports, where the recipient may see it."""
    if comment_of(activity) is None:
        sql = (
            f"SELECT NULL::bigint AS above, NULL::bigint AS thread FROM {PHOTOS} "
            f"WHERE p.shard = {_SOURCE} AND p.id = $2 AND p.author_id = $3 "
            f"AND p.state = 'ready' AND {_OF_PHOTO[activity.kind]} AND {readable(_SOURCE)}"
        )
    else:
        sql = (
            f"SELECT {author_above(_SOURCE)} AS above, coalesce(c.reply_to, c.id) AS thread FROM {_COMMENTS} "
            f"WHERE {_ONE_SHARD} AND c.id = $2 "
            f"AND c.deleted_at IS NULL AND {_CONCERNS[activity.kind]} AND {readable(_SOURCE)}"
        )
    found = await tx.fetchrow(sql, activity.recipient_id, activity.source_id, activity.actor_id)
    if found is None:
        return Source(holds=False)
    above = [] if found["above"] is None else [found["above"]]
    hidden = await account_lists.hidden(tx, above, viewer_id=activity.recipient_id)
    return Source(holds=not hidden, thread=found["thread"])


def comment_of(activity: Activity) -> int | None:
    """Return the comment that the entry of an activity is about, None for other entries, as of captions."""
    if activity.kind in _CONCERNS and activity.source_id != activity.photo_id:
        return activity.source_id
    return None


async def comments(db: Queryable, viewer_id: int, comment_ids: Collection[int]) -> dict[int, SourceComment]:
    """Return those comments that are below photos, and comments, that the viewer may see, by id."""
    rows = await db.fetch(
        f"SELECT c.id, c.text, c.author_id, {author_above('c.shard')} AS above FROM {_COMMENTS} "
        "WHERE c.shard = ANY($2::integer[]) AND c.id = ANY($3::bigint[]) AND c.deleted_at IS NULL "
        f"AND {readable('a.shard')}",
        viewer_id,
        shards(comment_ids),
        list(comment_ids),
    )
    above = {row["above"] for row in rows if row["above"] is not None}
    hidden = await account_lists.hidden(db, above, viewer_id=viewer_id)
    return {
        row["id"]: SourceComment(row["id"], row["text"], row["author_id"]) for row in rows if row["above"] not in hidden
    }
