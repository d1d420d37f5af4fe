"""What operators do about the security of an account: list and end its sessions, and turn its second factor off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from server.actions.second_factor import remove_in
from server.administration.commands import id_of, open_database
from server.config.settings import Settings
from server.identity.clients import device_name
from storage.errors import NotFoundError
from storage.ids import BadIdError, decode, encode
from storage.stores.credentials import oauth_clients, session_lists, token_lists
from storage.stores.credentials import sessions as session_rows

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSession:
    """An active session as an operator sees it, with times in UTC."""

    device: str
    network: str
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownToken:
    """An access token, or a connected application with its id, as an operator sees it, with times in UTC."""

    name: str
    application: str
    scopes: str
    created_at: datetime
    last_used_at: datetime | None


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


async def tokens(settings: Settings, username: str) -> list[ShownToken]:
    """Return the access tokens and connected applications of an account; raise `NotFoundError`."""
    async with open_database(settings) as db:
        user_id = await id_of(db, username)
        own, granted = await token_lists.personal(db, user_id), await token_lists.granted(db, user_id)
        known = await oauth_clients.by_ids(db, [each.client_id for each in granted])
    return [
        *(
            ShownToken(
                name=each.name,
                application="",
                scopes=" ".join(each.scopes),
                created_at=each.created_at.astimezone(UTC),
                last_used_at=None if each.last_used_at is None else each.last_used_at.astimezone(UTC),
            )
            for each in own
        ),
        *(
            ShownToken(
                name=known[each.client_id].name,
                application=encode(each.client_id),
                scopes=" ".join(each.scopes),
                created_at=each.granted_at.astimezone(UTC),
                last_used_at=None if each.last_used_at is None else each.last_used_at.astimezone(UTC),
            )
            for each in granted
            if each.client_id in known
        ),
    ]


async def revoke_tokens(settings: Settings, username: str, *, application: str | None = None) -> int:
    """End the access tokens of an account, or those of one application, and return how many sessions they had.

    Workers refuse them and close their live connections. Raises `NotFoundError`.
    """
    async with open_database(settings) as db, db.transaction() as tx:
        user_id = await id_of(tx, username)
        if application is None:
            return len(await token_lists.end_all(tx, user_id))
        try:
            client_id = decode(application)
        except BadIdError as error:
            raise NotFoundError("application") from error
        return len(await token_lists.end_of_application(tx, user_id, client_id))


async def disable_second_factor(settings: Settings, username: str) -> bool:
    """Turn the second factor of an account off; return whether it was on. Raises `NotFoundError`."""
    async with open_database(settings) as db:
        async with db.transaction() as tx:
            user_id = await id_of(tx, username)
            removed = await remove_in(tx, user_id)
        if removed:
            log.warning("second_factor_disabled", user=encode(user_id))
    return removed
