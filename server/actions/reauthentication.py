"""Proofs of identity of signed-in users, which dangerous steps need: a stolen session does not suffice for them.

Signing in is a proof, and so is the password, a code or a passkey that is given later in the session. One is valid for
`RECENT`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from server.actions.credentials import CredentialChecks
from server.actions.passkeys import PasskeyActions
from server.actions.second_factor import SecondFactor
from server.identity.clients import Client
from server.identity.errors import PasskeyError, ReauthenticationRequiredError, SessionRevokedError
from storage.postgres.database import Database
from storage.stores.credentials import session_lists

RECENT = timedelta(minutes=15)


class Reauthentication:
    """Proofs of users in their sessions."""

    def __init__(self, db: Database, checks: CredentialChecks, factor: SecondFactor, passkeys: PasskeyActions) -> None:
        self._db = db
        self._checks = checks
        self._factor = factor
        self._passkeys = passkeys

    async def require(self, user_id: int, session: str) -> None:
        """Raise `ReauthenticationRequiredError` unless the user has given a proof in the session a moment ago."""
        at = await session_lists.authenticated_at(self._db, user_id, session)
        if at is None or datetime.now(UTC) - at > RECENT:
            raise ReauthenticationRequiredError

    async def by_password(self, user_id: int, session: str, password: str, *, client: Client) -> datetime:
        """Accept the password as a proof, and return until when it is one.

        Raises `WrongPasswordError` and `RateLimitedError`.
        """
        await self._checks.confirm(user_id, password, address=client.address)
        return await self._accept(user_id, session)

    async def by_code(self, user_id: int, session: str, code: str, *, client: Client) -> datetime:
        """Accept a one-time or recovery code, as `by_password`; raise `WrongCodeError` and `RateLimitedError`."""
        await self._factor.use(user_id, code, client=client)
        return await self._accept(user_id, session)

    async def by_passkey(self, user_id: int, session: str, credential: dict[str, Any], *, client: Client) -> datetime:
        """Accept a passkey of the user, as `by_password`; raise `PasskeyError` and `RateLimitedError`."""
        await self._checks.charge_address(client.address)
        verified = await self._passkeys.verify(credential)
        if verified.user_id != user_id:
            raise PasskeyError("This passkey belongs to another account.")
        return await self._accept(user_id, session)

    async def _accept(self, user_id: int, session: str) -> datetime:
        at = await session_lists.mark_authenticated(self._db, user_id, session)
        if at is None:
            raise SessionRevokedError
        return at + RECENT
