"""The document of an export about the security of the account; it has no secret, code or key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import orjson

from storage.models import User
from storage.postgres.database import Queryable
from storage.render.timestamps import timestamp
from storage.stores.credentials import oauth_clients, passkeys, second_factors, session_lists, token_lists


async def security(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `security.json`: the active sessions, the second factor, the passkeys, tokens and applications."""
    factor = await second_factors.totp_of(db, user.id)
    confirmed_at = None if factor is None else factor.confirmed_at
    fields = {
        "sessions": [
            {
                "user_agent": session.user_agent,
                "network": session.network,
                "created_at": timestamp(session.created_at),
                "last_seen_at": timestamp(session.last_seen_at),
            }
            for session in await session_lists.active(db, user.id)
        ],
        "second_factor_since": None if confirmed_at is None else timestamp(confirmed_at),
        "passkeys": [
            {
                "name": passkey.name,
                "created_at": timestamp(passkey.created_at),
                "last_used_at": None if passkey.last_used_at is None else timestamp(passkey.last_used_at),
            }
            for passkey in await passkeys.of_user(db, user.id)
        ],
        **await _access(db, user.id),
    }
    yield orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


async def _access(db: Queryable, user_id: int) -> dict[str, Any]:
    """Return what has access to the account by tokens, and the applications that the user has registered."""
    granted = await token_lists.granted(db, user_id)
    known = await oauth_clients.by_ids(db, [each.client_id for each in granted])
    return {
        "access_tokens": [
            {
                "name": token.name,
                "scopes": list(token.scopes),
                "created_at": timestamp(token.created_at),
                "last_used_at": _time(token.last_used_at),
                "expires_at": _time(token.expires_at),
            }
            for token in await token_lists.personal(db, user_id)
        ],
        "connected_applications": [
            {
                "name": known[each.client_id].name,
                "website": known[each.client_id].website,
                "scopes": list(each.scopes),
                "granted_at": timestamp(each.granted_at),
                "last_used_at": _time(each.last_used_at),
            }
            for each in granted
            if each.client_id in known
        ],
        "registered_applications": [
            {
                "name": application.name,
                "website": application.website,
                "redirect_uris": list(application.redirect_uris),
                "scopes": list(application.scopes),
                "created_at": timestamp(application.created_at),
            }
            for application in await oauth_clients.of_owner(db, user_id)
        ],
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
