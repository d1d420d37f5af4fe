"""What operators do about the security of an account: list and end its sessions, and turn its second factor off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from server.actions.second_factor import remove_in
from server.administration.commands import id_of, open_database
from server.config.settings import Settings
from server.identity.clients import device_name
from storage.ids import encode
from storage.stores import session_lists
from storage.stores import sessions as session_rows

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSession:
    """An active session as an operator sees it, with times in UTC."""

    device: str
    network: str
    created_at: datetime
    last_seen_at: datetime


async def sessions(settings: Settings, username: str) -> list[ShownSession]:
    """Return the active sessions of an account, the one that was seen last first; raise `NotFoundError`."""
    async with open_database(settings) as db:
        found = await session_lists.active(db, await id_of(db, username))
    return [
        ShownSession(
            device=str(device_name(each.user_agent)),
            network=each.network,
            created_at=each.created_at.astimezone(UTC),
            last_seen_at=each.last_seen_at.astimezone(UTC),
        )
        for each in found
    ]


async def end_sessions(settings: Settings, username: str) -> int:
    """End all sessions of an account and return their number; raise `NotFoundError`.

    Workers refuse their access tokens and close their live connections.
    """
    async with open_database(settings) as db, db.transaction() as tx:
        return len(await session_rows.revoke_all(tx, await id_of(tx, username)))


async def disable_second_factor(settings: Settings, username: str) -> bool:
    """Turn the second factor of an account off; return whether it was on. Raises `NotFoundError`."""
    async with open_database(settings) as db:
        async with db.transaction() as tx:
            user_id = await id_of(tx, username)
            removed = await remove_in(tx, user_id)
        if removed:
            log.warning("second_factor_disabled", user=encode(user_id))
    return removed
