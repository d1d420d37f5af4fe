"""The e-mail addresses of accounts: claimed by one account, or pending for any number of them.

An address that a new account gives is pending, whether or not another account has it, so that signing up does not
disclose who is registered. The account that verifies it first claims it: `emails` has one account for each claimed
address. Accounts of earlier versions claimed theirs when they were created.
"""

from __future__ import annotations

from typing import NamedTuple

from storage.mails import Recipient
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

_ACCOUNT = f"a.shard = {shard('$1')} AND a.id = $1"
_KEPT = "(a.deleted_at IS NULL OR a.deletion_due_at > now())"
_FORGET = "DELETE FROM pending_emails WHERE email = $1::text::citext AND user_id = $2"


# The language of texts to the account: the chosen one, or that of its last session.
_LANGUAGE = (
    "coalesce(nullif(a.language, 'auto'), (SELECT s.language FROM sessions s "
    f"WHERE s.shard = {shard('$1')} AND s.user_id = $1 AND s.language IS NOT NULL "
    "ORDER BY s.last_seen_at DESC LIMIT 1), 'en')"
)


class Holders(NamedTuple):
    """The account that has claimed an address, and the newest of those for which it is pending."""

    claimed: int | None
    pending: int | None


async def hold(tx: Transaction, email: str, user_id: int) -> None:
    """Make an address pending for an account."""
    await tx.execute(
        "INSERT INTO pending_emails (email, user_id) VALUES ($1::text::citext, $2) ON CONFLICT DO NOTHING",
        email,
        user_id,
    )


async def claim(tx: Transaction, email: str, user_id: int) -> bool:
    """Claim an address for an account; return whether it is the account's now."""
    await tx.execute(
        "INSERT INTO emails (email, user_id) VALUES ($1::text::citext, $2) ON CONFLICT DO NOTHING", email, user_id
    )
    if await claimant(tx, email) != user_id:
        return False
    await tx.execute(_FORGET, email, user_id)
    return True


async def verify(tx: Transaction, email: str, user_id: int) -> bool:
    """Claim the address of an account whose user has proven to read its mail; return whether it is the account's now.

    It is not if another account has claimed it, or if this account has another address now.
    """
    locked = await tx.fetchval(
        f"SELECT 1 FROM users a WHERE {_ACCOUNT} AND {_KEPT} AND a.email = $2::text::citext FOR NO KEY UPDATE",
        user_id,
        email,
    )
    if locked is None or not await claim(tx, email, user_id):
        return False
    await tx.execute(
        "UPDATE users a SET email_verified_at = statement_timestamp() "
        f"WHERE {_ACCOUNT} AND a.email_verified_at IS NULL",
        user_id,
    )
    return True


async def free(tx: Transaction, email: str, user_id: int) -> None:
    """Free an address of an account, whether it was claimed or pending."""
    await tx.execute("DELETE FROM emails WHERE email = $1::text::citext AND user_id = $2", email, user_id)
    await tx.execute(_FORGET, email, user_id)


async def claimant(db: Queryable, email: str) -> int | None:
    """Return the account that has claimed an address."""
    found: int | None = await db.fetchval("SELECT user_id FROM emails WHERE email = $1::text::citext", email)
    return found


async def holders(db: Queryable, email: str) -> Holders:
    """Return the accounts to which an address may lead."""
    # By id, whose order is that of the registrations, and which is in the key.
    pending: int | None = await db.fetchval(
        "SELECT user_id FROM pending_emails WHERE email = $1::text::citext ORDER BY user_id DESC LIMIT 1", email
    )
    return Holders(await claimant(db, email), pending)


async def recipient(db: Queryable, user_id: int) -> Recipient | None:
    """Return an account as the recipient of mails, None if it is deleted for good."""
    row = await db.fetchrow(
        "SELECT a.id AS user_id, a.username::text, a.display_name, a.email::text AS address, "
        f"a.email_verified_at AS verified_at, a.deletion_due_at, {_LANGUAGE} AS language "
        f"FROM users a WHERE {_ACCOUNT} AND {_KEPT}",
        user_id,
    )
    if row is None:
        return None
    return Recipient(**dict(row), claimed=await claimant(db, row["address"]) == user_id)


async def language(db: Queryable, user_id: int) -> str:
    """Return the language of texts to an account: the one that it has chosen, or that of its last session."""
    found: str = await db.fetchval(f"SELECT {_LANGUAGE} FROM users a WHERE {_ACCOUNT}", user_id)
    return found
