"""Changes of the e-mail address of accounts, which take effect once both addresses have confirmed them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.mails import ChangeEnd, TokenPurpose
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores.accounts import email_addresses
from storage.stores.credentials import one_time_tokens

TTL = timedelta(days=1)
_ACCOUNT = f"shard = {shard('$1')} AND user_id = $1"
_COLUMNS = "user_id, id, email, from_email, old_confirmed_at, new_confirmed_at, expires_at"


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailChange:
    """A change to the address `email`; `from_email` is the present one if it has to confirm as well."""

    user_id: int
    id: int
    email: str
    from_email: str | None
    old_confirmed_at: datetime | None
    new_confirmed_at: datetime | None
    expires_at: datetime

    @property
    def ends(self) -> list[ChangeEnd]:
        """Return the addresses that have to confirm."""
        return [ChangeEnd.NEW] if self.from_email is None else [ChangeEnd.NEW, ChangeEnd.OLD]

    @property
    def confirmed(self) -> bool:
        """Return whether every address that has to has confirmed."""
        return self.new_confirmed_at is not None and (self.from_email is None or self.old_confirmed_at is not None)


async def begin(tx: Transaction, user_id: int, email: str) -> EmailChange:
    """Begin a change in place of the one that waits, if any; raise `NotFoundError("user")`.

    A verified address has to confirm it, so that a thief of the account cannot take it away unnoticed.
    """
    present = await tx.fetchrow(
        "SELECT a.email::text, a.email_verified_at FROM users a "
        f"WHERE a.shard = {shard('$1')} AND a.id = $1 AND a.deleted_at IS NULL FOR NO KEY UPDATE",
        user_id,
    )
    if present is None:
        raise NotFoundError("user")
    if present["email"].lower() == email.lower():
        raise ConflictError("email_unchanged", "This is the address of your account already.", field="email")
    await stop(tx, user_id)
    row = await tx.fetchrow(
        f"""
        INSERT INTO email_changes (shard, user_id, id, email, from_email, expires_at)
        VALUES ({shard("$1")}, $1, $2, $3, $4, now() + $5::interval) RETURNING {_COLUMNS}""",
        user_id,
        tx.new_id(ids.shard_of(user_id)),
        email,
        None if present["email_verified_at"] is None else present["email"],
        TTL,
    )
    return _change_of(row)


async def waiting(db: Queryable, user_id: int) -> EmailChange | None:
    """Return the change of an account that waits for a confirmation."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM email_changes WHERE {_ACCOUNT} AND expires_at > now()", user_id)
    return None if row is None else _change_of(row)


async def confirm(tx: Transaction, user_id: int, change_id: int, end: ChangeEnd) -> EmailChange | None:
    """Confirm a change by one of its addresses and return it; None if it was stopped, or its time is over."""
    column = "old_confirmed_at" if end is ChangeEnd.OLD else "new_confirmed_at"
    row = await tx.fetchrow(
        f"UPDATE email_changes SET {column} = now() "
        f"WHERE {_ACCOUNT} AND id = $2 AND expires_at > now() RETURNING {_COLUMNS}",
        user_id,
        change_id,
    )
    return None if row is None else _change_of(row)


async def stop(tx: Transaction, user_id: int, change_id: int | None = None) -> bool:
    """Stop the change that waits, with a `change_id` only that one; return False if there is none."""
    return bool(
        await tx.execute(
            f"DELETE FROM email_changes WHERE {_ACCOUNT} AND ($2::bigint IS NULL OR id = $2)", user_id, change_id
        )
    )


async def complete(tx: Transaction, change: EmailChange) -> str:
    """Give an account its new address, verified, and return the former one.

    Links to the former address end. Raises `ConflictError` email_taken, and `NotFoundError("user")`.
    """
    former: str | None = await tx.fetchval(
        "SELECT a.email::text FROM users a "
        f"WHERE a.shard = {shard('$1')} AND a.id = $1 AND a.deleted_at IS NULL FOR NO KEY UPDATE",
        change.user_id,
    )
    if former is None:
        raise NotFoundError("user")
    if not await email_addresses.claim(tx, change.email, change.user_id):
        raise ConflictError("email_taken", "This e-mail address belongs to another account.")
    await email_addresses.free(tx, former, change.user_id)
    await tx.execute(
        "UPDATE users a SET email = $2::text::citext, email_verified_at = statement_timestamp() "
        f"WHERE a.shard = {shard('$1')} AND a.id = $1",
        change.user_id,
        change.email,
    )
    await stop(tx, change.user_id)
    for purpose in (TokenPurpose.PASSWORD_RESET, TokenPurpose.VERIFY_EMAIL):
        await one_time_tokens.use_up_all(tx, change.user_id, purpose)
    return former


async def purge(tx: Transaction, *, limit: int = 1000) -> int:
    """Delete up to `limit` changes whose time is over, and return their number."""
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT user_id, id FROM email_changes WHERE expires_at < now() "
        "ORDER BY expires_at LIMIT $1",
        limit,
    )
    for row in rows:
        await stop(tx, row["user_id"], row["id"])
    return len(rows)


def _change_of(row: Any) -> EmailChange:
    return EmailChange(**dict(row))
