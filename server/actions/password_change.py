"""Change the password of an account, which ends its other sessions."""

from __future__ import annotations

from server.actions import security_notices
from server.actions.credentials import CredentialChecks
from server.actions.sessions import SessionService
from server.identity.clients import Client
from server.identity.errors import ReauthenticationRequiredError
from server.identity.passwords import Passwords
from storage.notifications import SecurityEvent
from storage.postgres.database import Database
from storage.stores import account_locks
from storage.stores.accounts import users
from storage.stores.credentials import session_lists, sessions

QUOTA = "writes"


class PasswordChange:
    """The change of a password by its user."""

    def __init__(self, db: Database, checks: CredentialChecks, passwords: Passwords, sessions: SessionService) -> None:
        self._db = db
        self._checks = checks
        self._passwords = passwords
        self._sessions = sessions

    async def change(
        self, user_id: int, session: str, *, current: str, new: str, end_apps: bool = False, client: Client
    ) -> None:
        """Change the password; the user's other sessions and their live connections end.

        With `end_apps` all tokens end as well. A reset by mail always ends them: the account may have been in other
        hands.
        Raises `WrongPasswordError`, `RateLimitedError`, and `ReauthenticationRequiredError` if the password was changed
        by another request meanwhile.
        """
        encoded = await self._checks.confirm(user_id, current, address=client.address)
        renewed = await self._passwords.hash(new)
        async with self._db.transaction() as tx:
            # A sign-in with the former password opens its session before, and loses it here, or none.
            await account_locks.lock_against_inserts(tx, user_id)
            if not await users.replace_password_hash(tx, user_id, encoded, renewed):
                raise ReauthenticationRequiredError
            ended = await sessions.revoke_all(tx, user_id, but=session, by_token=end_apps)
            await session_lists.mark_authenticated(tx, user_id, session)
            security_notices.record(tx, user_id, SecurityEvent.PASSWORD_CHANGED, device=client.name)
        await self._sessions.revoke(user_id, ended)
