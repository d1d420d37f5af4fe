"""The choices of users about their notifications: audiences by kind and channel, quiet hours, and digests.

All rows are in the user's shard. Only what deviates from the defaults is stored (`storage.notification_channels`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from storage.notification_channels import Audience, Channel, Preferences
from storage.notifications import NotificationKind
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.quiet_hours import QuietHours, Weekday
from storage.stores import account_locks

_USER = f"shard = {shard('$1')} AND user_id = $1"
_SCHEDULE = "zone, quiet_begin, quiet_end, quiet_days, digest"
_KINDS = frozenset(NotificationKind)


class DigestFrequency(StrEnum):
    """How often a user gets a mail about what is new."""

    OFF = "off"
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When a user wants to be reached, in the user's time zone; `quiet` is None without quiet hours."""

    zone: str = "UTC"
    quiet: QuietHours | None = None
    digest: DigestFrequency = DigestFrequency.OFF


async def preferences(db: Queryable, user_id: int) -> Preferences:
    """Return a user's choices of audiences."""
    rows = await db.fetch(f"SELECT kind, channel, audience FROM notification_preferences WHERE {_USER}", user_id)
    return Preferences(
        # A later version may know more kinds.
        deviations={
            (NotificationKind(row["kind"]), Channel(row["channel"])): Audience(row["audience"])
            for row in rows
            if row["kind"] in _KINDS
        }
    )


async def set_preferences(
    tx: Transaction, user_id: int, deviations: Mapping[tuple[NotificationKind, Channel], Audience]
) -> None:
    """Replace a user's choices; raise `NotFoundError("user")` once the account is deleted."""
    await account_locks.require(tx, user_id)
    await tx.execute(f"DELETE FROM notification_preferences WHERE {_USER}", user_id)
    await tx.execute(
        f"""
        INSERT INTO notification_preferences (shard, user_id, kind, channel, audience)
        SELECT {shard("$1")}, $1, chosen.kind, chosen.channel, chosen.audience
        FROM unnest($2::text[], $3::text[], $4::text[]) AS chosen (kind, channel, audience)""",
        user_id,
        [kind.value for kind, _ in deviations],
        [channel.value for _, channel in deviations],
        [audience.value for audience in deviations.values()],
    )


async def schedule(db: Queryable, user_id: int) -> Schedule:
    """Return when a user wants to be reached."""
    row = await db.fetchrow(f"SELECT {_SCHEDULE} FROM notification_schedules WHERE {_USER}", user_id)
    return Schedule() if row is None else _schedule_of(row)


async def set_quiet_hours(tx: Transaction, user_id: int, quiet: QuietHours | None) -> None:
    """Set or remove a user's quiet hours; raise `NotFoundError("user")` once the account is deleted."""
    await account_locks.require(tx, user_id)
    await tx.execute(
        f"""
        INSERT INTO notification_schedules AS s (shard, user_id, zone, quiet_begin, quiet_end, quiet_days)
        VALUES ({shard("$1")}, $1, coalesce($2, 'UTC'), $3, $4, $5)
        ON CONFLICT (user_id, shard) DO UPDATE SET zone = coalesce($2, s.zone), quiet_begin = excluded.quiet_begin,
            quiet_end = excluded.quiet_end, quiet_days = excluded.quiet_days""",
        user_id,
        None if quiet is None else quiet.zone,
        None if quiet is None else quiet.begin,
        None if quiet is None else quiet.end,
        [] if quiet is None else sorted(day.value for day in quiet.days),
    )


async def set_digest(tx: Transaction, user_id: int, digest: DigestFrequency, *, zone: str | None) -> None:
    """Set how often a user gets a digest, by the clock of `zone`, or of the present zone with None.

    Raises `NotFoundError("user")` once the account is deleted.
    """
    await account_locks.require(tx, user_id)
    await tx.execute(
        f"""
        INSERT INTO notification_schedules AS s (shard, user_id, zone, digest)
        VALUES ({shard("$1")}, $1, coalesce($2, 'UTC'), $3)
        ON CONFLICT (user_id, shard) DO UPDATE SET zone = coalesce($2, s.zone), digest = excluded.digest""",
        user_id,
        zone,
        digest.value,
    )


def _schedule_of(row: Any) -> Schedule:
    quiet = None
    if row["quiet_begin"] is not None and row["quiet_days"]:
        quiet = QuietHours(
            zone=row["zone"],
            begin=row["quiet_begin"],
            end=row["quiet_end"],
            days=frozenset(Weekday(day) for day in row["quiet_days"]),
        )
    return Schedule(zone=row["zone"], quiet=quiet, digest=DigestFrequency(row["digest"]))
