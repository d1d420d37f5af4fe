"""Passkeys: public keys of authenticators with which users sign in, by the credential's id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from locales.sentences import sentence
from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

MOST = 20  # of a user

_OWN = f"p.shard = {shard('$1')} AND p.user_id = $1"
_COLUMNS = "p.id, p.credential_id, p.public_key, p.sign_count, p.transports, p.name, p.created_at, p.last_used_at"


@dataclass(frozen=True, kw_only=True, slots=True)
class Passkey:
    """A passkey of a user; `sign_count` is what its authenticator counted at the last use."""

    id: int
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: Sequence[str]
    name: str
    created_at: datetime
    last_used_at: datetime | None


async def of_user(db: Queryable, user_id: int) -> list[Passkey]:
    """Return the passkeys of a user, in the order of their creation."""
    return [
        _passkey(row)
        for row in await db.fetch(f"SELECT {_COLUMNS} FROM passkeys p WHERE {_OWN} ORDER BY p.id", user_id)
    ]


async def by_credential(db: Queryable, user_id: int, credential_id: bytes) -> Passkey | None:
    """Return the passkey of a user with a credential's id, None if there is none."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM passkeys p WHERE {_OWN} AND p.credential_id = $2", user_id, credential_id
    )
    return None if row is None else _passkey(row)


async def add(
    tx: Transaction,
    user_id: int,
    *,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    transports: Sequence[str],
    name: str,
) -> Passkey:
    """Add a passkey; raise `ConflictError` passkey_exists or too_many_passkeys, and `NotFoundError("user")`."""
    # The lock lets two requests at the same moment follow each other, so that both are counted.
    if not await tx.fetchval(
        f"SELECT true FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
        user_id,
    ):
        raise NotFoundError("user")
    present = await of_user(tx, user_id)
    if any(each.credential_id == credential_id for each in present):
        raise ConflictError("passkey_exists", "This passkey is one of yours already.")
    if len(present) >= MOST:
        raise ConflictError("too_many_passkeys", sentence("You can have {most} passkeys. Delete one first.", most=MOST))
    row = await tx.fetchrow(
        f"INSERT INTO passkeys AS p (shard, id, user_id, credential_id, public_key, sign_count, transports, name) "
        f"VALUES ({shard('$1')}, $2, $1, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}",
        user_id,
        tx.new_id(ids.shard_of(user_id)),
        credential_id,
        public_key,
        sign_count,
        list(transports),
        name,
    )
    return _passkey(row)


async def rename(tx: Transaction, user_id: int, passkey_id: int, name: str) -> Passkey:
    """Rename a passkey; raise `NotFoundError("passkey")` for one of another user."""
    row = await tx.fetchrow(
        f"UPDATE passkeys p SET name = $3 WHERE {_OWN} AND p.id = $2 RETURNING {_COLUMNS}", user_id, passkey_id, name
    )
    if row is None:
        raise NotFoundError("passkey")
    return _passkey(row)


async def delete(tx: Transaction, user_id: int, passkey_id: int) -> None:
    """Delete a passkey; raise `NotFoundError("passkey")` for one of another user."""
    if not await tx.execute(f"DELETE FROM passkeys p WHERE {_OWN} AND p.id = $2", user_id, passkey_id):
        raise NotFoundError("passkey")


async def used(tx: Transaction, user_id: int, passkey_id: int, *, before: int, now: int) -> bool:
    """Record a use, at which the authenticator counted `now`; return False if it was not at `before` any more.

    So an answer of an authenticator whose counter another use has passed meanwhile is refused.
    """
    return bool(
        await tx.execute(
            "UPDATE passkeys p SET sign_count = $4, last_used_at = now() "
            f"WHERE {_OWN} AND p.id = $2 AND p.sign_count = $3",
            user_id,
            passkey_id,
            before,
            now,
        )
    )


def _passkey(row: Any) -> Passkey:
    return Passkey(**dict(row))
