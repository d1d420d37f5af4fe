"""Identities: accounts at OpenID providers with which users sign in, each by its issuer and subject.

An identity is kept twice: in `identities`, where a sign-in finds its account on any shard, and in the shard of the
account, which so knows its identities. Both rows change in one transaction under the lock of the account. An account
has at most one identity of each issuer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores.credentials import passkeys

_OWN = f"shard = {shard('$1')} AND user_id = $1"
_ACCOUNT = f"shard = {shard('$1')} AND id = $1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """An account of a user at a provider; `email` is what the provider said when it was linked, or empty."""

    issuer: str
    subject: str
    email: str
    created_at: datetime
    last_used_at: datetime | None


async def user_of(db: Queryable, issuer: str, subject: str) -> int | None:
    """Return the id of the account to which an identity belongs, or None."""
    found: int | None = await db.fetchval(
        "SELECT user_id FROM identities WHERE subject = $1 AND issuer = $2", subject, issuer
    )
    return found


async def of_account(db: Queryable, user_id: int) -> Sequence[Identity]:
    """Return the identities of an account, the oldest first."""
    rows = await db.fetch(
        f"SELECT issuer, subject, email, created_at, last_used_at FROM account_identities WHERE {_OWN} "
        "ORDER BY created_at, issuer",
        user_id,
    )
    return [Identity(**dict(row)) for row in rows]


async def has_password(db: Queryable, user_id: int) -> bool:
    """Return whether an account can be signed in to with a password."""
    found: bool | None = await db.fetchval(f"SELECT password_hash <> '' FROM users WHERE {_ACCOUNT}", user_id)
    return bool(found)


async def add(tx: Transaction, user_id: int, issuer: str, subject: str, *, email: str) -> bool:
    """Let an account be signed in to with an identity; return False if it can be already.

    Raises `NotFoundError("user")`, and `ConflictError`: identity_taken if it belongs to another account,
    provider_linked if the account has another identity of the issuer.
    """
    await _lock(tx, user_id)
    rows = await tx.fetch(f"SELECT subject FROM account_identities WHERE {_OWN} AND issuer = $2", user_id, issuer)
    if rows:
        if rows[0]["subject"] == subject:
            return False
        raise ConflictError(
            "provider_linked", "Your account is linked with another account of this provider. Unlink that first."
        )
    taken = await tx.execute(
        "INSERT INTO identities (issuer, subject, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        issuer,
        subject,
        user_id,
    )
    if not taken:
        raise ConflictError("identity_taken", "This account of the provider is linked with another account here.")
    await tx.execute(
        "INSERT INTO account_identities (shard, user_id, issuer, subject, email, last_used_at) "
        f"VALUES ({shard('$1')}, $1, $2, $3, $4, now())",
        user_id,
        issuer,
        subject,
        email,
    )
    return True


async def used(db: Queryable, user_id: int, issuer: str) -> None:
    """Record that an account was signed in to with its identity of an issuer."""
    await db.fetchval(
        f"UPDATE account_identities SET last_used_at = now() WHERE {_OWN} AND issuer = $2 RETURNING issuer",
        user_id,
        issuer,
    )


async def remove(tx: Transaction, user_id: int, issuer: str, *, usable: Collection[str]) -> None:
    """Remove the identity of an issuer; `usable` are the issuers with which users can sign in at present.

    Raises `NotFoundError("identity")`, and `ConflictError` last_sign_in_method if the account has no password, no
    passkey and no other identity of a usable issuer.
    """
    await _lock(tx, user_id)
    found = {identity.issuer: identity for identity in await of_account(tx, user_id)}
    if issuer not in found:
        raise NotFoundError("identity")
    others = (found.keys() - {issuer}) & set(usable)
    if not others and not await has_password(tx, user_id) and not await passkeys.of_user(tx, user_id):
        raise ConflictError(
            "last_sign_in_method", "This is the only way to sign in to your account. Add another one before."
        )
    await tx.execute(f"DELETE FROM account_identities WHERE {_OWN} AND issuer = $2", user_id, issuer)
    await _free(tx, user_id, found[issuer].subject, issuer)


async def free_all(tx: Transaction, user_id: int) -> None:
    """Free the identities of an account that is being deleted."""
    rows = await tx.fetch(f"DELETE FROM account_identities WHERE {_OWN} RETURNING subject, issuer", user_id)
    for row in rows:
        await _free(tx, user_id, row["subject"], row["issuer"])


async def _lock(tx: Transaction, user_id: int) -> None:
    sql = f"SELECT 1 FROM users WHERE {_ACCOUNT} AND deleted_at IS NULL FOR NO KEY UPDATE"
    if await tx.fetchval(sql, user_id) is None:
        raise NotFoundError("user")


async def _free(tx: Transaction, user_id: int, subject: str, issuer: str) -> None:
    await tx.execute(
        "DELETE FROM identities WHERE subject = $1 AND issuer = $2 AND user_id = $3", subject, issuer, user_id
    )
