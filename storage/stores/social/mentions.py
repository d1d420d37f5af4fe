"""The accounts that a text mentions, found when it is written: a later change of a username does not change them."""

from __future__ import annotations

from storage.entities import mentions_in
from storage.models import Mention
from storage.postgres.database import Queryable
from storage.postgres.rows import mentions_of
from storage.postgres.sharding import shard
from storage.stores import account_lists


async def resolve(db: Queryable, text: str, *, author_id: int) -> tuple[Mention, ...]:
    """Return the mentions of accounts that the author may find; a text without "@" takes no statement."""
    found = mentions_in(text)
    if not found:
        return ()
    rows = await db.fetch(
        "SELECT username::text, user_id FROM usernames WHERE username = ANY($1::text[]::citext[]) "
        "AND (kept_until IS NULL OR kept_until > now())",
        sorted({mention.name for mention in found}),
    )
    ids = {row["username"].lower(): row["user_id"] for row in rows}
    known = await account_lists.summaries(db, set(ids.values()), viewer_id=author_id)
    return tuple(
        Mention(offset=mention.offset, length=mention.length, user_id=ids[mention.name])
        for mention in found
        if ids.get(mention.name) in known
    )


async def in_caption(db: Queryable, photo_id: int) -> list[int]:
    """Return the accounts that the caption of a photo mentions; none if the photo is deleted."""
    stored = await db.fetchval(
        f"SELECT mentions FROM photos WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL", photo_id
    )
    return sorted({mention.user_id for mention in mentions_of(stored or ())})


def changed(before: tuple[Mention, ...], after: tuple[Mention, ...]) -> list[int]:
    """Return the accounts whose mention was added or removed."""
    return sorted({mention.user_id for mention in before} ^ {mention.user_id for mention in after})
