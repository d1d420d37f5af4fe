"""Usernames: each belongs to one account on all shards, and a former one leads to its account for 30 days.

A former name is kept twice: in `usernames`, where another account would take it, and in the shard of its account, which
so knows its former names. Both rows change in one transaction under the lock of the account.
"""

from __future__ import annotations

from datetime import datetime

from locales.sentences import sentence
from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

KEPT_DAYS = 30
MAX_FORMER = 2  # names that an account keeps at once, so that none reserves many

_ACCOUNT = f"shard = {shard('$1')} AND user_id = $1"
_TAKE = "INSERT INTO usernames (username, user_id) VALUES ($1::text::citext, $2) ON CONFLICT DO NOTHING"
_FREE = "DELETE FROM usernames WHERE username = $1::text::citext AND user_id = $2"
_FORGET = f"DELETE FROM former_usernames WHERE {_ACCOUNT} AND username = $2::text::citext"


async def id_of(db: Queryable, username: str) -> int | None:
    """Return the id of the account with a username, or a former one, in either case; None if there is none."""
    user_id: int | None = await db.fetchval(
        "SELECT user_id FROM usernames "
        "WHERE username = $1::text::citext AND (kept_until IS NULL OR kept_until > now())",
        username,
    )
    return user_id


async def take(tx: Transaction, username: str, user_id: int) -> None:
    """Give a name to an account; raise `ConflictError` username_taken."""
    if await tx.execute(_TAKE, username, user_id):
        return
    # Only a name in use costs these further statements.
    expired = await tx.execute(
        "DELETE FROM usernames WHERE username = $1::text::citext AND kept_until < now()", username
    )
    if not (expired and await tx.execute(_TAKE, username, user_id)):
        raise ConflictError("username_taken", "This username is taken. Choose another one.", field="username")


async def rename(tx: Transaction, user_id: int, username: str) -> bool:
    """Change the username of an account and keep the former one; return False if it has this name already.

    An account can take a former name of its own again. Raises `NotFoundError("user")`, and `ConflictError`
    username_taken or too_many_renames.
    """
    former: str | None = await tx.fetchval(
        f"SELECT username::text FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL "
        "FOR NO KEY UPDATE",
        user_id,
    )
    if former is None:
        raise NotFoundError("user")
    if former == username:
        return False
    if former.lower() == username.lower():
        # Another spelling of the same name; on a cluster the value that distributes a row cannot be changed.
        await tx.execute(_FREE, former, user_id)
        await take(tx, username, user_id)
        return True
    await _take_back(tx, user_id, username)
    # The new name first: to take one waits for the transaction that gives it up, which then must not wait for this one.
    await take(tx, username, user_id)
    await _keep(tx, user_id, former)
    return True


async def free_all(tx: Transaction, user_id: int, username: str) -> None:
    """Free the present and the former names of an account that is being deleted."""
    rows = await tx.fetch(f"DELETE FROM former_usernames WHERE {_ACCOUNT} RETURNING username::text", user_id)
    for name in (username, *(row["username"] for row in rows)):
        await tx.execute(_FREE, name, user_id)


async def purge(tx: Transaction, *, limit: int) -> int:
    """Free up to `limit` former names that were kept for long enough; return their number."""
    rows = await tx.fetch(
        """
        /* all shards: the janitor's */
        SELECT user_id, username::text FROM former_usernames WHERE kept_until < now()
        ORDER BY kept_until LIMIT $1""",
        limit,
    )
    for user_id, username in rows:
        await tx.execute(_FORGET, user_id, username)
        # Another account may have taken the expired name meanwhile, and keeps it.
        await tx.execute(_FREE, username, user_id)
    return len(rows)


async def _take_back(tx: Transaction, user_id: int, username: str) -> None:
    if await tx.execute(_FORGET, user_id, username):
        await tx.execute(_FREE, username, user_id)


async def _keep(tx: Transaction, user_id: int, username: str) -> None:
    kept = await tx.fetch(f"SELECT kept_until FROM former_usernames WHERE {_ACCOUNT} AND kept_until > now()", user_id)
    if len(kept) >= MAX_FORMER:
        raise _too_many(min(row["kept_until"] for row in kept))
    until: datetime = await tx.fetchval(
        "UPDATE usernames SET kept_until = now() + make_interval(days => $3) "
        "WHERE username = $1::text::citext AND user_id = $2 RETURNING kept_until",
        username,
        user_id,
        KEPT_DAYS,
    )
    await tx.execute(
        f"""
        INSERT INTO former_usernames (shard, user_id, username, kept_until)
        VALUES ({shard("$1")}, $1, $2::text::citext, $3)
        ON CONFLICT (user_id, shard, username) DO UPDATE SET kept_until = EXCLUDED.kept_until""",
        user_id,
        username,
        until,
    )


def _too_many(next_time: datetime) -> ConflictError:
    return ConflictError(
        "too_many_renames",
        sentence(
            "A username can be changed {most} times in {days} days. The next change is possible from {time} on.",
            most=MAX_FORMER,
            days=KEPT_DAYS,
            time=next_time,
        ),
        field="username",
    )
