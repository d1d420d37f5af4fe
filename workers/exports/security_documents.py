"""The document of an export about the security of the account; it has no secret, code or key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from storage.models import User
from storage.postgres.database import Queryable
from storage.render.timestamps import timestamp
from storage.stores import passkeys, second_factors, session_lists


async def security(db: Queryable, user: User) -> AsyncIterator[bytes]:
    """Yield `security.json`: the active sessions, the second factor and the passkeys."""
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
    }
    yield orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
