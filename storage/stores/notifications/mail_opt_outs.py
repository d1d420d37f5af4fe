"""Lists of mails from which users have unsubscribed by the link in a mail.

A list is a name in that link: "digest", or the kind of the notifications that the mail is about.
"""

from __future__ import annotations

from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard


async def add(tx: Transaction, user_id: int, list_name: str) -> None:
    """Unsubscribe a user from a list; does nothing for an account that is deleted for good."""
    await tx.execute(
        f"""
        INSERT INTO mail_opt_outs (shard, user_id, list)
        SELECT a.shard, a.id, $2 FROM users a
        WHERE a.shard = {shard("$1")} AND a.id = $1 AND (a.deleted_at IS NULL OR a.deletion_due_at > now())
        FOR KEY SHARE
        ON CONFLICT (user_id, list, shard) DO NOTHING""",
        user_id,
        list_name,
    )


async def remove(tx: Transaction, user_id: int, list_name: str) -> None:
    """Let a user receive a list again."""
    await tx.execute(
        f"DELETE FROM mail_opt_outs WHERE shard = {shard('$1')} AND user_id = $1 AND list = $2", user_id, list_name
    )


async def lists_of(db: Queryable, user_id: int) -> frozenset[str]:
    """Return the lists from which a user has unsubscribed."""
    rows = await db.fetch(f"SELECT list FROM mail_opt_outs WHERE shard = {shard('$1')} AND user_id = $1", user_id)
    return frozenset(row["list"] for row in rows)
