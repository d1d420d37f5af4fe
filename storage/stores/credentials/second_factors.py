"""Second factors of accounts: one-time codes by time (TOTP), and recovery codes that replace them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

_OWN = f"shard = {shard('$1')} AND user_id = $1"
# Begin to set up a factor, or begin again with another secret; one that is in use stays.
_BEGIN = f"""
INSERT INTO totp AS t (shard, user_id, secret) VALUES ({shard("$1")}, $1, $2)
ON CONFLICT (user_id, shard) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at
WHERE t.confirmed_at IS NULL RETURNING true"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Totp:
    """A factor and its encrypted secret; one that is not confirmed is being set up."""

    secret: bytes
    confirmed_at: datetime | None


async def totp_of(db: Queryable, user_id: int) -> Totp | None:
    """Return the factor of a user, None without one."""
    row = await db.fetchrow(f"SELECT secret, confirmed_at FROM totp WHERE {_OWN}", user_id)
    return None if row is None else Totp(secret=row["secret"], confirmed_at=row["confirmed_at"])


async def begin(tx: Transaction, user_id: int, secret: bytes) -> bool:
    """Begin to set up a factor with an encrypted secret; return False if the user has one already."""
    return bool(await tx.fetchval(_BEGIN, user_id, secret))


async def use_step(tx: Transaction, user_id: int, step: int, *, secret: bytes) -> bool:
    """Use up the code of a step, and those before it; return False if it was used up, or the secret is another now."""
    return bool(
        await tx.fetchval(
            f"UPDATE totp SET last_step = $2 WHERE {_OWN} AND last_step < $2 AND secret = $3 RETURNING true",
            user_id,
            step,
            secret,
        )
    )


async def confirm(tx: Transaction, user_id: int) -> bool:
    """Let sign-ins ask for the factor from now on; return False if they do so already."""
    return bool(
        await tx.fetchval(
            f"UPDATE totp SET confirmed_at = now() WHERE {_OWN} AND confirmed_at IS NULL RETURNING true", user_id
        )
    )


async def remove(tx: Transaction, user_id: int) -> bool:
    """Remove the factor and the recovery codes; return whether sign-ins asked for it."""
    confirmed: bool | None = await tx.fetchval(
        f"DELETE FROM totp WHERE {_OWN} RETURNING confirmed_at IS NOT NULL", user_id
    )
    await tx.execute(f"DELETE FROM recovery_codes WHERE {_OWN}", user_id)
    return bool(confirmed)


async def replace_recovery_codes(tx: Transaction, user_id: int, digests: Sequence[bytes]) -> bool:
    """Replace the recovery codes by others, of which the SHA-256 is kept; return False without a confirmed factor."""
    # The lock lets two requests at the same moment follow each other, so that the codes of one remain.
    if not await tx.fetchval(f"SELECT true FROM totp WHERE {_OWN} AND confirmed_at IS NOT NULL FOR UPDATE", user_id):
        return False
    await tx.execute(f"DELETE FROM recovery_codes WHERE {_OWN}", user_id)
    await tx.execute(
        "INSERT INTO recovery_codes (shard, user_id, code_sha256) "
        f"SELECT {shard('$1')}, $1, code FROM unnest($2::bytea[]) AS code",
        user_id,
        list(digests),
    )
    return True


async def use_recovery_code(tx: Transaction, user_id: int, digest: bytes) -> bool:
    """Use up a recovery code; return False if there is none, or it was used."""
    return bool(
        await tx.fetchval(
            f"UPDATE recovery_codes SET used_at = now() WHERE {_OWN} AND code_sha256 = $2 AND used_at IS NULL "
            "RETURNING true",
            user_id,
            digest,
        )
    )


async def recovery_codes_left(db: Queryable, user_id: int) -> int:
    """Return how many recovery codes can still be used."""
    left: int = await db.fetchval(f"SELECT count(*) FROM recovery_codes WHERE {_OWN} AND used_at IS NULL", user_id)
    return left
