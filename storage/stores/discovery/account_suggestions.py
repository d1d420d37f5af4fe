"""Accounts that are suggested to a user, to follow them: made in the background, at most once a day.

What is stored is a list of ids. Which of them are shown is decided when it is read, so an account that was followed,
became private or is separated by a block since then is left out at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from storage.events import SuggestionsWanted
from storage.models import User
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import USER, user_of
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import followed, known, unmuted

MADE_EVERY = timedelta(hours=24)
LOST_AFTER = timedelta(minutes=10)  # a request that was not carried out is repeated
MAX_DISMISSED = 1_000  # of one user; the newest are kept

_USER = f"shard = {shard('$1')} AND user_id = $1"
_SUGGESTIBLE = (
    f"a.id <> $1 AND a.searchable AND NOT a.private AND a.limited_at IS NULL AND {known('a.shard')} "
    f"AND {unmuted('a.shard')} AND NOT {followed('a.shard')}"
)


class SuggestionReason(StrEnum):
    """Why an account is suggested; `FRIENDS` are accounts that the user follows."""

    FOLLOWS_YOU = "follows_you"
    FRIENDS = "friends"
    TAGS = "tags"
    PICK = "pick"
    KNOWN = "known"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountSuggestion:
    """An account, why it is suggested, and how many friends follow it or photos have the tags.

    `place` is that in the stored list, from 1 on.
    """

    user_id: int
    reason: SuggestionReason
    number: int
    place: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeSuggestions:
    """The suggestions of a user without the dismissed ones, and when they were made, None if they never were."""

    accounts: Sequence[AccountSuggestion]
    made_at: datetime | None

    @property
    def due(self) -> bool:
        """Return whether they are to be made again."""
        return self.made_at is None or datetime.now(UTC) - self.made_at > MADE_EVERY


async def read(db: Queryable, user_id: int) -> MadeSuggestions:
    """Return the suggestions that were made for a user."""
    row = await db.fetchrow(
        f"""
        SELECT accounts, made_at, ARRAY(
            SELECT d.account_id FROM dismissed_suggestions d WHERE d.shard = {shard("$1")} AND d.user_id = $1
        ) AS dismissed
        FROM account_suggestions WHERE {_USER}""",
        user_id,
    )
    if row is None:
        return MadeSuggestions(accounts=[], made_at=None)
    dismissed = set(row["dismissed"])
    accounts = [
        AccountSuggestion(user_id=account, reason=SuggestionReason(reason), number=number, place=place)
        for place, (account, reason, number) in enumerate(row["accounts"], 1)
        if account not in dismissed
    ]
    return MadeSuggestions(accounts=accounts, made_at=row["made_at"])


async def want(tx: Transaction, user_id: int) -> bool:
    """Emit `SuggestionsWanted` if the suggestions of a user are to be made and were not asked for just now."""
    now = datetime.now(UTC)
    wanted = await tx.fetchval(
        f"""
        WITH a AS (
            SELECT shard, id FROM users WHERE shard = {shard("$1")} AND id = $1 AND deleted_at IS NULL FOR KEY SHARE)
        INSERT INTO account_suggestions AS s (shard, user_id, wanted_at) SELECT a.shard, a.id, $2 FROM a
        ON CONFLICT (user_id, shard) DO UPDATE SET wanted_at = excluded.wanted_at
        WHERE (s.wanted_at < $3 OR s.wanted_at > $2) AND (s.made_at IS NULL OR s.made_at < $4)
        RETURNING user_id""",
        user_id,
        now,
        now - LOST_AFTER,
        now - MADE_EVERY,
    )
    if wanted is None:
        return False
    tx.emit(SuggestionsWanted(user_id=user_id))
    return True


async def store(db: Queryable, user_id: int, accounts: Sequence[AccountSuggestion]) -> None:
    """Store the suggestions of a user, who has asked for them."""
    await db.fetch(
        f"UPDATE account_suggestions SET accounts = $2, made_at = now() WHERE {_USER} RETURNING user_id",
        user_id,
        [[account.user_id, account.reason.value, account.number] for account in accounts],
    )


async def dismiss(tx: Transaction, user_id: int, account_id: int) -> None:
    """Never suggest an account to a user again; a second time changes nothing."""
    await tx.execute(
        f"""
        WITH a AS (
            SELECT shard, id FROM users WHERE shard = {shard("$1")} AND id = $1 AND deleted_at IS NULL FOR KEY SHARE)
        INSERT INTO dismissed_suggestions (shard, user_id, account_id) SELECT a.shard, a.id, $2 FROM a
        ON CONFLICT DO NOTHING""",
        user_id,
        account_id,
    )
    await tx.execute(
        f"""
        DELETE FROM dismissed_suggestions WHERE {_USER} AND account_id IN (
            SELECT d.account_id FROM dismissed_suggestions d WHERE d.shard = {shard("$1")} AND d.user_id = $1
            ORDER BY d.created_at DESC, d.account_id OFFSET {MAX_DISMISSED})""",
        user_id,
    )


async def dismissed_ids(db: Queryable, user_id: int) -> set[int]:
    """Return the accounts that a user has dismissed."""
    return {
        row["account_id"]
        for row in await db.fetch(f"SELECT account_id FROM dismissed_suggestions WHERE {_USER}", user_id)
    }


async def suggestible(db: Queryable, user_id: int, account_ids: Collection[int]) -> dict[int, User]:
    """Return those of the accounts that may be suggested to a user: public, and neither followed, muted nor blocked."""
    rows = await db.fetch(
        f"SELECT {USER} FROM users a "
        f"WHERE a.shard = ANY($2::integer[]) AND a.id = ANY($3::bigint[]) AND {_SUGGESTIBLE}",
        user_id,
        shards(account_ids),
        list(account_ids),
    )
    return {row["id"]: user_of(row) for row in rows}
